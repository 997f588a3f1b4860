"""Records as columns: what a read of the log returns, without an object per record until somebody asks for one.

Landing takes hundreds of thousands of records a second; an object for each would cost it more than parsing them does.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import overload

import msgspec

Headers = tuple[tuple[str, bytes], ...]
"""Headers of a record, such as its trace context."""


class LogRecord(msgspec.Struct, frozen=True):
    """A record as read: its coordinates, when it was appended (ms since 1970, UTC), its lines and its headers."""

    partition: int
    offset: int
    appended_at_ms: int
    count: int
    value: bytes
    headers: Headers = ()


def line_counts(values: Sequence[bytes]) -> list[int]:
    """How many lines each value holds; one look at all of them tells where none holds more than one."""
    if b"\n" in b"".join(values):
        return [value.count(b"\n") + 1 for value in values]
    return [1] * len(values)


@dataclass(slots=True, eq=False, repr=False)
class Records(Sequence[LogRecord]):
    """A sequence of log records that holds their fields in lists of equal length.

    `headers` holds those of the records that have any, by their place in the sequence.
    """

    partitions: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    appended_at_ms: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)
    headers: dict[int, Headers] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Iterable[LogRecord]) -> Records:
        """The same records in columns."""
        if isinstance(records, Records):
            return records
        found = list(records)
        return cls(
            [record.partition for record in found],
            [record.offset for record in found],
            [record.appended_at_ms for record in found],
            [record.count for record in found],
            [record.value for record in found],
            {place: record.headers for place, record in enumerate(found) if record.headers},
        )

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, index: int) -> LogRecord: ...

    @overload
    def __getitem__(self, index: slice) -> Records: ...

    def __getitem__(self, index: int | slice) -> LogRecord | Records:
        if isinstance(index, slice):
            places = range(len(self))[index]
            return Records(
                self.partitions[index],
                self.offsets[index],
                self.appended_at_ms[index],
                self.counts[index],
                self.values[index],
                {places.index(place): self.headers[place] for place in self.headers if place in places},
            )
        return LogRecord(
            self.partitions[index],
            self.offsets[index],
            self.appended_at_ms[index],
            self.counts[index],
            self.values[index],
            self.headers.get(range(len(self))[index], ()),
        )

    def __eq__(self, other: object) -> bool:
        """Equal to any sequence of the same records."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    def __repr__(self) -> str:
        return f"Records({list(self)!r})"

    def extend(self, more: Records) -> None:
        """Add records at the end."""
        before = len(self)
        self.partitions += more.partitions
        self.offsets += more.offsets
        self.appended_at_ms += more.appended_at_ms
        self.counts += more.counts
        self.values += more.values
        self.headers.update({before + place: headers for place, headers in more.headers.items()})

    def take(self, count: int) -> Records:
        """Cut off so many records at the front."""
        taken = self[:count]
        for column in (self.partitions, self.offsets, self.appended_at_ms, self.counts, self.values):
            del column[:count]
        self.headers = {place - count: headers for place, headers in self.headers.items() if place >= count}
        return taken

    def within(self, *, max_events: int, max_bytes: int) -> int:
        """How many records from the front stay within both limits, and at least one if there is one."""
        events = accumulate(self.counts[:max_events])
        sizes = accumulate(map(len, self.values[:max_events]))
        fitting = min(bisect_right(list(events), max_events), bisect_right(list(sizes), max_bytes))
        return max(fitting, min(1, len(self)))
