"""Count distinct people: a set of numbers while they are few, then an HLL sketch (Apache DataSketches).

A sketch has 2,048 registers: exact to about 190 people, then within 2.3 % (one standard error), at most about 1 KB.
Most windows see a handful of people, and a sketch for each, one call per person, would cost more than all the rest of
counting. Numbers of 32 bits go in, not pseudonyms: of a million people some 120 meet another's number, far below the
sketch's own error, and no pseudonym can be read from them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from datasketches import hll_sketch, hll_union, tgt_hll_type

LG_REGISTERS = 11
NUMBER_DIGITS = 8
"""Last hexadecimal digits of a pseudonym that make its number."""
FEW = 190
"""People who are kept by number, 4 bytes each, as a sketch keeps so few as well; with more of them it is one."""
NOBODY = b"\0"
"""No people, and what comes before numbers: no sketch begins so, for its first byte is the length of its preamble."""


_NUMBER_BYTES = 4

Integers = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


class Sketch(Protocol):
    """What is asked of the library's sketch, which ships without types."""

    def update(self, datum: int) -> None:
        """Add one person."""

    def serialize_compact(self) -> bytes:
        """Its bytes."""


def numbers_of(subjects: pl.Series) -> pl.Series:
    """The people as whole numbers, the same in every process; null stays null."""
    numbers = subjects.str.tail(NUMBER_DIGITS).str.to_integer(base=16, dtype=pl.Int64, strict=False)
    numbers = pl.select(pl.when(numbers >= 0).then(numbers)).to_series()  # a sign is no digit
    odd = numbers.is_null() & subjects.is_not_null()
    if not odd.any():
        return numbers
    names = subjects.filter(odd).unique()  # no pseudonyms of ours
    hashed = [int.from_bytes(hashlib.blake2b(name.encode(), digest_size=NUMBER_DIGITS // 2).digest()) for name in names]
    spare = subjects.replace_strict(names, pl.Series(hashed, dtype=pl.Int64), default=None, return_dtype=pl.Int64)
    return pl.select(pl.coalesce(numbers, spare)).to_series()


def is_packed(data: bytes) -> bool:
    """Whether bytes hold numbers, not a sketch."""
    return data.startswith(NOBODY)


def unpacked(data: bytes) -> Integers:
    """The numbers in bytes that hold numbers."""
    return np.frombuffer(data, "<u4", offset=len(NOBODY)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class People:
    """A column of people, each row numbers or a sketch, as it lies in memory; a row that is null has nobody."""

    starts: Integers
    sizes: Integers
    data: Bytes
    is_sketch: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, column: pl.Series) -> People:
        """Of a column of bytes."""
        array = column.fill_null(NOBODY).cast(pl.Binary).to_arrow(compat_level=pl.CompatLevel.oldest())
        offsets, data = (np.asarray(memoryview(buffer or b"")) for buffer in array.buffers()[1:])
        ends = offsets.view(np.int64)[array.offset : array.offset + len(array) + 1]
        data, starts = data[ends[0] : ends[-1]], ends[:-1] - ends[0]
        return cls(starts, np.diff(ends), data, data[starts] != NOBODY[0])

    def __len__(self) -> int:
        return len(self.starts)

    def numbers(self) -> tuple[Integers, Integers]:
        """(row, number) of everybody who is known by number."""
        counts = np.where(self.is_sketch, 0, (self.sizes - len(NOBODY)) // _NUMBER_BYTES)
        numbers = self.data[_numbers_in(self.starts, self.sizes, self.is_sketch)].view("<u4").astype(np.int64)
        return np.repeat(np.arange(len(self)), counts), numbers

    def sketch(self, row: int) -> bytes | None:
        """The sketch of a row, if it has one."""
        if not self.is_sketch[row]:
            return None
        return self.data[self.starts[row] : self.starts[row] + self.sizes[row]].tobytes()


def people_column(counts: Integers, numbers: Integers, crowds: Mapping[int, bytes]) -> pl.Series:
    """A column of people.

    Args:
        counts: How many people each row has by number.
        numbers: Their numbers, row by row and ordered within each, so that equal people give equal bytes.
        crowds: Rows that have a sketch in place of their numbers.
    """
    is_sketch = np.zeros(len(counts), dtype=np.bool_)
    sizes = len(NOBODY) + _NUMBER_BYTES * counts
    for row, sketch in crowds.items():
        is_sketch[row], sizes[row] = True, len(sketch)
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    data = np.full(int(ends[-1]), NOBODY[0], np.uint8)
    kept = numbers[np.repeat(~is_sketch, counts)].astype("<u4")
    data[_numbers_in(ends[:-1], sizes, is_sketch)] = kept.view(np.uint8)
    for row, sketch in crowds.items():
        data[ends[row] : ends[row + 1]] = np.frombuffer(sketch, np.uint8)
    buffers = [None, pa.py_buffer(ends.data), pa.py_buffer(data.data)]
    array = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(counts), buffers)
    return pl.Series("people", array, dtype=pl.Binary)


def _numbers_in(starts: Integers, sizes: Integers, is_sketch: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which bytes belong to numbers: all of a row but its first."""
    belong = np.repeat(~is_sketch, sizes)
    belong[starts] = False
    return belong


def opened(data: bytes | None) -> Sketch:
    """A sketch to add to, of the people in some bytes or empty."""
    if data and not is_packed(data):
        return cast(Sketch, hll_sketch.deserialize(data))
    empty = cast(Sketch, hll_sketch(LG_REGISTERS, tgt_hll_type.HLL_4))
    return added(empty, unpacked(data).tolist()) if data else empty


def added(sketch: Sketch, people: Sequence[int]) -> Sketch:
    """A sketch of these people, by number, and those that it knew."""
    update = sketch.update
    for number in people:
        update(number)
    return sketch


def stored(sketch: Sketch) -> bytes:
    """The bytes of a sketch."""
    return bytes(sketch.serialize_compact())


def distinct(sketches: Iterable[bytes], *, same: Mapping[int, int] | None = None) -> float:
    """How many people are in any of these, given as numbers or as sketches.

    A sketch that was never joined estimates from the order in which people came. Joining the result with itself
    makes the library fall back on the registers alone, so that equal people give an equal figure.

    Args:
        sketches: Whom each holds.
        same: Numbers of linked subjects and the number each stands for. A sketch no longer knows who is in it.
    """
    union = hll_union(LG_REGISTERS)
    for data in sketches:
        if same and is_packed(data):
            union.update(added(opened(None), [same.get(number, number) for number in unpacked(data).tolist()]))
        else:
            union.update(opened(data))
    union.update(union.get_result(tgt_hll_type.HLL_8))
    return float(union.get_estimate())
