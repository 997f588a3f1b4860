"""The sender: events through the real intake at a steady rate, 1 % of them malformed, and a ledger of all.

One in a hundred events goes past the gateway, in a record whose log time is odd; it must land like any other.

The ledger is a file that is appended before and after each step. After a kill the next sender does what a client does
without an answer: it sends the same events again. What an answer called accepted must land, once.
"""

from __future__ import annotations

import ctypes
import random
import signal
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TextIO

from bench.killing.odd import append_at, is_poison, keep_producers_times, odd_seconds, poison
from bench.killing.worker import shifted_now
from feedback.admission import Admission, Admitted
from feedback.errors import LogError, ServiceError
from feedback.intake import Clock, Intake, open_intake
from feedback.log.port import NewRecord, partition_of
from feedback.settings.home import Settings
from feedback.subjects import Pseudonyms, load_or_create_key

BEAT_SECONDS = 0.05
POISON_SHARE = 0.01
REPEAT_SHARE = 0.01
ODD_SHARE = 0.01
FIRST_ODD = 200
PEOPLE, ITEMS = 500, 100
RETRY_SECONDS = 0.3
OPEN_SECONDS = 120.0


@dataclass
class Ledger:
    """What was sent: numbers of events that were answered as accepted, and of poison that is in the log."""

    accepted: set[int] = field(default_factory=set)
    poison: set[int] = field(default_factory=set)
    doubtful_poison: set[int] = field(default_factory=set)
    """Sent, but the sender died before it knew whether it is in."""
    unanswered: range | None = None
    """Events that were sent last, without an answer; the next sender sends them again."""
    next_event: int = 0
    next_poison: int = 0
    repeats: int = 0


def read_ledger(path: Path) -> Ledger:
    """Sum up a ledger; a last line that was cut short never happened."""
    ledger = Ledger()
    if not path.exists():
        return ledger
    text = path.read_text(encoding="utf-8")
    for line in text[: text.rfind("\n") + 1].splitlines():
        word, *numbers = line.split()
        values = [int(number) for number in numbers]
        match word:
            case "try":
                ledger.unanswered = range(values[0], values[0] + values[1])
                ledger.next_event = max(ledger.next_event, ledger.unanswered.stop)
            case "accepted":
                ledger.accepted.update(range(values[0], values[0] + values[1]))
                ledger.unanswered = None
            case "try-poison":
                ledger.doubtful_poison.add(values[0])
                ledger.next_poison = values[0] + 1
            case "poison":
                ledger.doubtful_poison.discard(values[0])
                ledger.poison.add(values[0])
            case "repeat":
                ledger.repeats += 1
            case _:
                raise ServiceError(f"{path}: the ledger has no such word: {line!r}")
    return ledger


def event(number: int) -> dict[str, object]:
    """One event; its id is its number."""
    return {
        "kind": "rating" if number % 3 else "click",
        "id": f"e{number}",
        "user_id": str(number % PEOPLE),
        "item_id": str(number % ITEMS),
        **({"value": number % 5 + 1, "scale": [1, 5]} if number % 3 else {}),
    }


def send(settings: Settings, ledger: str, rate: float, seed: int, shift: ctypes.c_double) -> None:
    """Send events until asked to end.

    Args:
        settings: The home whose log takes them.
        ledger: The file that says what was sent.
        rate: Events per second.
        seed: Draws poison and repeats.
        shift: By how many seconds the clock of intake and log is wrong.
    """
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    clock = partial(shifted_now, shift)
    keep_producers_times()
    intake = _opened(settings, clock)
    with Path(ledger).open("a", encoding="utf-8", buffering=1) as file:
        known = read_ledger(Path(ledger))
        admission = Admission(Pseudonyms(load_or_create_key(settings.paths.subject_key_file)))
        Sender(intake, admission, file, known, random.Random(seed), clock).run(
            stop, per_beat=max(1, round(rate * BEAT_SECONDS))
        )


class Sender:
    """Sends, and writes down what it does."""

    def __init__(
        self, intake: Intake, admission: Admission, file: TextIO, known: Ledger, rng: random.Random, clock: Clock
    ) -> None:
        self._intake = intake
        self._admission = admission
        self._clock = clock
        self._file = file
        self._rng = rng
        self._unanswered = known.unanswered
        self._next_event, self._next_poison = known.next_event, known.next_poison

    def run(self, stop: threading.Event, *, per_beat: int) -> None:
        """Send a few events each beat; those without an answer again, until they get one."""
        beat_at = time.monotonic()
        while self._unanswered is not None or not stop.is_set():
            self._send(self._unanswered or range(self._next_event, self._next_event + per_beat))
            if self._rng.random() < POISON_SHARE * per_beat:
                self._send_poison()
            if self._rng.random() < REPEAT_SHARE * per_beat:
                self._repeat()
            is_known = self._next_event > FIRST_ODD  # a partition's first time is no odder than any other
            if is_known and self._unanswered is None and self._rng.random() < ODD_SHARE * per_beat:
                self._send_odd()
            beat_at += BEAT_SECONDS
            stop.wait(max(0.0, beat_at - time.monotonic()))

    def _send(self, numbers: range) -> None:
        self._next_event = max(self._next_event, numbers.stop)
        self._unanswered = numbers
        self._write(f"try {numbers.start} {len(numbers)}")
        try:
            verdicts = self._intake.submit(event(number) for number in numbers)
        except LogError as error:
            self._complain(error)
            return
        refused = [verdict for verdict in verdicts if verdict.verdict not in ("accepted", "duplicate")]
        if refused:
            raise ServiceError(f"the intake refused an event of the bench: {refused[0]}")
        self._write(f"accepted {numbers.start} {len(numbers)}")
        self._unanswered = None

    def _send_poison(self) -> None:
        number, self._next_poison = self._next_poison, self._next_poison + 1
        self._write(f"try-poison {number}")
        partition = self._rng.randrange(self._intake.log.partitions)
        if self._append(NewRecord(partition, poison(number), 1)):
            self._write(f"poison {number}")

    def _send_odd(self) -> None:
        """One event past the gateway, at an odd log time; without an answer it is sent again, in the usual way."""
        number, self._next_event = self._next_event, self._next_event + 1
        self._unanswered = range(number, number + 1)
        self._write(f"try {number} 1")
        now = self._clock()
        admitted = self._admission.admit(event(number), now)
        assert isinstance(admitted, Admitted)
        log = self._intake.log
        record = NewRecord(partition_of(admitted.owner, log.partitions), admitted.line, 1)
        try:
            append_at(log, record, odd_seconds(now, self._rng))
        except LogError as error:
            self._complain(error)
            return
        self._write(f"accepted {number} 1")
        self._unanswered = None

    def _repeat(self) -> None:
        """Append a record of the log once more, as a producer that bypasses the gateway may."""
        log = self._intake.log
        try:
            partition, (first, end) = self._rng.choice(sorted(log.bounds().items()))
            if first < end:
                (record, *_) = log.read(partition, self._rng.randrange(first, end), max_events=1)
                if not is_poison(record.value) and self._append(NewRecord(partition, record.value, record.count)):
                    self._write("repeat")
        except LogError as error:
            self._complain(error)

    def _append(self, record: NewRecord) -> bool:
        try:
            self._intake.log.append([record], now=self._clock())
        except LogError as error:
            self._complain(error)
            return False
        return True

    def _complain(self, error: LogError) -> None:
        print(f"sender: {error}", flush=True)
        time.sleep(RETRY_SECONDS)

    def _write(self, line: str) -> None:
        self._file.write(line + "\n")


def _opened(settings: Settings, clock: Clock) -> Intake:
    deadline = time.monotonic() + OPEN_SECONDS
    while True:
        try:
            return open_intake(settings, clock=clock)
        except LogError as error:
            if time.monotonic() > deadline:
                raise
            print(f"sender: {error}", flush=True)
            time.sleep(RETRY_SECONDS)
