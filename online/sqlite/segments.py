"""Recent events in the online store's SQLite file: slots of people, written in segments.

People are spread over slots by the first characters of their pseudonym. A segment is what came over a while: one row
per slot, which holds the entries of its people one after the other. A push adds rows at the end of the file, or
lengthens those of the last segment, instead of touching a page per person. A read looks its slot up in each segment
and finds the subject's entries by a search for its name; nothing else is decoded. Where there are many segments the
oldest are merged, slot by slot, so that a read behind 20 million events looks at some forty rows.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from online.events import EncodedEvents, bounds_of, bytes_of, decoded, name_of

SLOT_BITS = 14
SLOT_CHARACTERS = 4
"""Hexadecimal characters of a pseudonym that name its slot."""
SLOTS = 1 << SLOT_BITS
_DIGITS = np.full(256, 255, np.int64)
_DIGITS[list(b"0123456789abcdef")] = np.arange(16)
_DROPPED = 1 << (4 * SLOT_CHARACTERS - SLOT_BITS)

SEGMENT_EVENTS = 200_000
"""Events after which the next push begins a segment; about as many as a drain pushes together."""
MANY_SEGMENTS = 32
"""Segments that a read may look at before some are merged; a merge writes their events once more."""
MERGED_TOGETHER = 8
SPARE = 10
"""Times as many events as are asked for are looked at in a segment: a crawler may have a million in it."""
SLOTS_AT_ONCE = SLOTS // 8
"""Slots that are merged in one transaction: every other writer waits for it."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS segments (
    segment INTEGER PRIMARY KEY, is_merged INTEGER NOT NULL, events INTEGER NOT NULL, spans TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS segment_slots (place INTEGER PRIMARY KEY, entries BLOB NOT NULL);
"""

_ROWS = f"""
SELECT entries FROM segments CROSS JOIN segment_slots ON place = segment * {SLOTS} + ? ORDER BY segment DESC"""
_IN_RANGE = "place BETWEEN ? AND ?"
_ADD = "INSERT INTO segment_slots VALUES (?, ?)"
_LENGTHEN = f"{_ADD} ON CONFLICT DO UPDATE SET entries = CAST(entries || excluded.entries AS BLOB)"

Spans = Mapping[int, tuple[int, int]]
"""By log partition, from which offset up to which one."""


class Segment(NamedTuple):
    """A row of `segments`."""

    number: int
    is_merged: bool
    events: int
    spans: dict[int, tuple[int, int]]

    @property
    def first_place(self) -> int:
        """The place of its slot 0."""
        return self.number * SLOTS


def slot_of(subject: str) -> int:
    """The slot of a subject; everybody whose name is no pseudonym shares the first one."""
    head = subject[:SLOT_CHARACTERS]
    is_hexadecimal = len(head) == SLOT_CHARACTERS and all(c in "0123456789abcdef" for c in head)
    return int(head, 16) // _DROPPED if is_hexadecimal else 0


def slots_of(subjects: pa.LargeStringArray) -> npt.NDArray[np.uint16]:
    """The same in columns."""
    bounds = bounds_of(subjects)
    spare = np.zeros(SLOT_CHARACTERS, np.uint8)
    text = np.concatenate([np.frombuffer(bytes_of(subjects), np.uint8), spare])
    digits = _DIGITS[text[bounds[:-1, None] + np.arange(SLOT_CHARACTERS)]]
    is_hexadecimal = (np.diff(bounds) >= SLOT_CHARACTERS) & (digits < 16).all(axis=1)
    number = digits @ (16 ** np.arange(SLOT_CHARACTERS - 1, -1, -1))
    return np.where(is_hexadecimal, number // _DROPPED, 0).astype(np.uint16)


def entries_of(connection: sqlite3.Connection, subject: str, *, at_most: int) -> list[bytes]:
    """JSON of a subject's events: of the last segments that have `at_most` of them, or of all.

    Of each segment the last ones are enough, and some more, for one push brings plain events before those with values.
    """
    name = name_of(subject)
    found: list[bytes] = []
    for (entries,) in connection.execute(_ROWS, (slot_of(subject),)):
        if name in entries:
            found += [event.partition(b"\n")[0] for event in entries.rsplit(name, SPARE * at_most)[1:]]
        if len(found) >= at_most:
            break
    return found


def append(connection: sqlite3.Connection, rows: Iterable[tuple[int, memoryview]], events: int, spans: Spans) -> None:
    """Add a push's slots (`by_slot`) to the last segment, or begin one; in an open transaction."""
    last = next(iter(_segments(connection, "WHERE segment >= 0 ORDER BY segment DESC LIMIT 1")), None)
    if last is None or last.is_merged or last.events + events > SEGMENT_EVENTS:
        last = Segment(0 if last is None else last.number + 1, False, 0, {})
    add = _LENGTHEN if last.events else _ADD
    connection.executemany(add, ((last.first_place + slot, entries) for slot, entries in rows))
    _keep(connection, last._replace(events=last.events + events, spans=_joined(last.spans, spans)))


def prepend(connection: sqlite3.Connection, rows: Iterable[tuple[int, memoryview]], events: int, spans: Spans) -> None:
    """Add events that came before all others, as a segment of their own; in an open transaction."""
    (first,) = connection.execute("SELECT min(segment) FROM segments").fetchone()
    segment = Segment(min(0, first or 0) - 1, False, events, dict(spans))
    connection.executemany(_ADD, ((segment.first_place + slot, entries) for slot, entries in rows))
    _keep(connection, segment)


def by_slot(events: EncodedEvents) -> Iterator[tuple[int, memoryview]]:
    """Each slot's entries, one after the other."""
    slots = slots_of(events.subjects)
    order = np.argsort(slots, kind="stable")
    places: Any = pa.array(order)
    slots, entries = slots[order], events.entries.take(places)
    bounds, whole = bounds_of(entries), bytes_of(entries)
    starts = np.flatnonzero(np.diff(slots.astype(np.int32), prepend=-1))
    ends = bounds[[*starts[1:], len(slots)]].tolist()
    for slot, start, end in zip(slots[starts].tolist(), bounds[starts].tolist(), ends, strict=True):
        yield slot, whole[start:end]


def next_merge(connection: sqlite3.Connection) -> list[Segment]:
    """The segments that are to be merged next; none while there are few."""
    small = _segments(connection, "WHERE NOT is_merged ORDER BY segment")
    return small[:MERGED_TOGETHER] if len(small) > MANY_SEGMENTS else []


def is_next_merge(connection: sqlite3.Connection, segments: list[Segment]) -> bool:
    """Whether these are still to be merged."""
    return [due.number for due in next_merge(connection)] == [segment.number for segment in segments]


def merge_slots(connection: sqlite3.Connection, segments: list[Segment], first: int) -> None:
    """Move some slots of these segments into the last of them; in an open transaction."""
    *_, last = segments
    if first == 0:  # so that a trim meanwhile knows what is in it
        _keep(connection, last._replace(spans=_joined(*(segment.spans for segment in segments))))
    found: dict[int, list[bytes]] = {}
    for segment in segments:
        bounds = (segment.first_place + first, segment.first_place + first + SLOTS_AT_ONCE - 1)
        for place, entries in connection.execute(f"SELECT place, entries FROM segment_slots WHERE {_IN_RANGE}", bounds):
            found.setdefault(place - segment.first_place, []).append(entries)
        connection.execute(f"DELETE FROM segment_slots WHERE {_IN_RANGE}", bounds)
    connection.executemany(_ADD, [(last.first_place + slot, b"".join(found[slot])) for slot in sorted(found)])


def finish_merge(connection: sqlite3.Connection, segments: list[Segment]) -> None:
    """Note that these segments are one; in an open transaction."""
    *others, last = segments
    connection.executemany("DELETE FROM segments WHERE segment = ?", [(other.number,) for other in others])
    spans = _joined(*(segment.spans for segment in segments))
    _keep(connection, last._replace(is_merged=True, events=sum(segment.events for segment in segments), spans=spans))


def trimmable(connection: sqlite3.Connection, before: Mapping[int, int]) -> list[int]:
    """The numbers of the segments that have events to forget below these positions, the oldest first."""
    return [
        segment.number
        for segment in _segments(connection, "ORDER BY segment")
        if _is_below(segment, before) or _is_shortened(segment, before)
    ]


def trim(connection: sqlite3.Connection, number: int, before: Mapping[int, int]) -> int:
    """Forget one segment's events below these positions, in an open transaction; returns how many.

    A merged segment goes when it lies below them as a whole. One that is gone meanwhile is left to the next trim.
    """
    for segment in _segments(connection, f"WHERE segment = {number:d}"):
        if _is_below(segment, before):
            _drop(connection, segment)
            return segment.events
        if _is_shortened(segment, before):
            return _shorten(connection, segment, before)
    return 0


def _is_below(segment: Segment, before: Mapping[int, int]) -> bool:
    return all(end <= before.get(p, 0) for p, (_, end) in segment.spans.items())


def _is_shortened(segment: Segment, before: Mapping[int, int]) -> bool:
    return not segment.is_merged and any(start < before.get(p, 0) for p, (start, _) in segment.spans.items())


def _shorten(connection: sqlite3.Connection, segment: Segment, before: Mapping[int, int]) -> int:
    """Forget some of a segment's events."""
    bounds = (segment.first_place, segment.first_place + SLOTS - 1)
    shorter: list[tuple[int, bytes]] = []
    dropped = 0
    for place, entries in connection.execute(f"SELECT place, entries FROM segment_slots WHERE {_IN_RANGE}", bounds):
        lines = entries[1:].split(b"\n")
        events = decoded(line.partition(b"\t")[2] for line in lines)
        kept = [
            line
            for line, event in zip(lines, events, strict=True)
            if event.log_offset >= before.get(event.log_partition, 0)
        ]
        if len(kept) < len(lines):
            dropped += len(lines) - len(kept)
            shorter.append((place, b"".join(b"\n" + line for line in kept)))
    connection.executemany("DELETE FROM segment_slots WHERE place = ?", [(place,) for place, _ in shorter])
    connection.executemany(_ADD, [(place, entries) for place, entries in shorter if entries])
    spans = {p: (max(start, min(before.get(p, 0), end)), end) for p, (start, end) in segment.spans.items()}
    _keep(connection, segment._replace(events=segment.events - dropped, spans=spans))
    return dropped


def _drop(connection: sqlite3.Connection, segment: Segment) -> None:
    bounds = (segment.first_place, segment.first_place + SLOTS - 1)
    connection.execute(f"DELETE FROM segment_slots WHERE {_IN_RANGE}", bounds)
    connection.execute("DELETE FROM segments WHERE segment = ?", (segment.number,))


def _segments(connection: sqlite3.Connection, which: str) -> list[Segment]:
    rows = connection.execute(f"SELECT segment, is_merged, events, spans FROM segments {which}")
    return [
        Segment(number, bool(merged), events, {p: (start, end) for p, start, end in json.loads(spans)})
        for number, merged, events, spans in rows
    ]


def _keep(connection: sqlite3.Connection, segment: Segment) -> None:
    spans = json.dumps([(p, *span) for p, span in sorted(segment.spans.items())])
    row = (segment.number, segment.is_merged, segment.events, spans)
    connection.execute("INSERT OR REPLACE INTO segments VALUES (?, ?, ?, ?)", row)


def _joined(*parts: Spans) -> dict[int, tuple[int, int]]:
    """What any of them covers, and what lies between."""
    found: dict[int, tuple[int, int]] = {}
    for partition, (start, end) in (item for part in parts for item in part.items()):
        known = found.get(partition, (start, end))
        found[partition] = (min(start, known[0]), max(end, known[1]))
    return found
