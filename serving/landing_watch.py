"""Watch landing from the HTTP process, for `/readyz`.

A landing stream on this home touches a file while it reads. A stream on another machine shows by its commits: while
records wait in the log, the positions in the lake move. A stalled landing makes the process unready only if landing is
expected: by the setting `landing.expected`, or because a stream was seen on this home while the process ran.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from feedback.errors import HeedError
from feedback.log.port import FeedbackLog
from feedback.settings.home import Settings
from lakehouse.lake import open_lake
from lakehouse.landed.continuity import known_of

LOGGER = logging.getLogger("heed.serving")
LOOK_SECONDS = 5.0


class LandingStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of landing; seconds are rounded."""

    expected: bool
    waiting: int = 0
    """Records of the log that have not landed."""
    stalled_seconds: int = 0
    """For how long records have waited while nothing landed."""
    silent_seconds: int = 0
    """How long ago a stream on this home was last heard of; 0 where none was, or it ended in order."""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at the log, the lake and the home."""

    at: float
    """Seconds since 1970."""
    ends: Mapping[int, int]
    positions: Mapping[int, int]
    heard_at: float | None
    """When a stream on this home was last heard of; `None` where there is none, or it ended in order."""

    @property
    def waiting(self) -> int:
        """Records that have not landed."""
        return sum(max(0, end - self.positions.get(partition, 0)) for partition, end in self.ends.items())


class Judgement:
    """Turns looks into a status; pure, the clock is in the looks."""

    def __init__(self, *, expected: bool, patience_seconds: float, since: float) -> None:
        self._expected = expected
        self._patience = patience_seconds
        self._since = since
        self._positions: Mapping[int, int] = {}
        self._moved_at = since

    def status(self, sight: Sight) -> LandingStatus:
        """The status after one more look."""
        if not sight.waiting or sight.positions != self._positions:
            self._moved_at = sight.at
        self._positions = sight.positions
        stalled = sight.at - self._moved_at
        heard = (
            sight.heard_at if sight.heard_at is not None and sight.heard_at >= self._since - self._patience else None
        )
        silent = 0.0 if heard is None else max(0.0, sight.at - heard)
        problem = ""
        if silent > self._patience:
            problem = f"landing has not been heard of for {silent:.0f} s"
        elif stalled > self._patience:
            problem = f"{sight.waiting:,} records wait in the log and nothing has landed for {stalled:.0f} s"
        return LandingStatus(
            expected=self._expected or heard is not None,
            waiting=sight.waiting,
            stalled_seconds=round(stalled),
            silent_seconds=round(silent),
            problem=problem,
        )


class LandingWatch:
    """Looks every few seconds in a background thread, so that `/readyz` never waits for a store."""

    def __init__(self, settings: Settings, log: FeedbackLog, *, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._log = log
        self._clock = clock
        self._judgement = Judgement(
            expected=settings.landing.expected, patience_seconds=settings.landing.stalled_seconds, since=clock()
        )
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.status = LandingStatus(expected=settings.landing.expected)

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._watch, name="landing-watch", daemon=True)
        self._thread.start()

    def look(self) -> LandingStatus:
        """Look once."""
        lake = open_lake(self._settings)
        bases = known_of(lake, self._log).bases
        ends = {p: end + bases.get(p, 0) for p, (_, end) in self._log.bounds().items()}
        positions = lake.positions(self._log.name, self._log.partitions)
        self.status = self._judgement.status(Sight(self._clock(), ends, positions, self._heard_at()))
        return self.status

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=LOOK_SECONDS)

    def _heard_at(self) -> float | None:
        try:
            return self._settings.paths.landing_beat_file.stat().st_mtime
        except OSError:
            return None

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except HeedError as error:
                LOGGER.debug("landing cannot be watched now: %s", error)
            except Exception:
                LOGGER.exception("landing cannot be watched now")
            self._stop.wait(LOOK_SECONDS)
