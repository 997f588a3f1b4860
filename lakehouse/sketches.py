"""How many distinct people: their numbers while they are few, then an HLL sketch (Apache DataSketches).

A sketch has 2,048 registers: exact to about 190 people, then within 2.3 % (one standard error), at most about 1 KB.
Most windows see a handful of people, and a sketch for each, one call per person, would cost more than all the rest of
counting. Numbers of 32 bits go in, not pseudonyms: of a million people some 120 meet another's number, far below the
sketch's own error, and no pseudonym can be read from them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt
import polars as pl
from datasketches import hll_sketch, hll_union, tgt_hll_type

LG_REGISTERS = 11
NUMBER_DIGITS = 8
"""Last hexadecimal digits of a pseudonym that make its number."""
FEW = 64
"""People who are kept by number; with more of them it is a sketch."""
NOBODY = b"\0"
"""No people, and what comes before numbers: no sketch begins so, for its first byte is the length of its preamble."""
UNION_FROM = 2_000
"""People from which joining two sketches (0.1 ms) is cheaper than adding them one by one."""


class Sketch(Protocol):
    """What is asked of the library's sketch, which ships without types."""

    def update(self, datum: int) -> None:
        """Add one person."""

    def serialize_compact(self) -> bytes:
        """Its bytes."""


def numbers_of(subjects: pl.Series) -> pl.Series:
    """The people as whole numbers, the same in every process; null stays null."""
    numbers = subjects.str.tail(NUMBER_DIGITS).str.to_integer(base=16, dtype=pl.Int64, strict=False)
    odd = numbers.is_null() & subjects.is_not_null()
    if not odd.any():
        return numbers
    names = subjects.filter(odd).unique()  # no pseudonyms of ours
    hashed = [int.from_bytes(hashlib.blake2b(name.encode(), digest_size=NUMBER_DIGITS // 2).digest()) for name in names]
    spare = subjects.replace_strict(names, pl.Series(hashed, dtype=pl.Int64), default=None, return_dtype=pl.Int64)
    return pl.select(pl.coalesce(numbers, spare)).to_series()


def packed(numbers: npt.NDArray[np.int64]) -> bytes:
    """The numbers of few distinct people as bytes; ordered, so that equal people give equal bytes."""
    return NOBODY + np.sort(numbers).astype("<u4").tobytes()


def is_packed(data: bytes) -> bool:
    """Whether bytes hold numbers, not a sketch."""
    return data.startswith(NOBODY)


def unpacked(data: bytes) -> npt.NDArray[np.int64]:
    """The numbers in bytes that hold numbers."""
    return np.frombuffer(data, "<u4", offset=len(NOBODY)).astype(np.int64)


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


def joined(sketches: Iterable[Sketch]) -> Sketch:
    """One sketch of all the people in several."""
    union = hll_union(LG_REGISTERS)
    for sketch in sketches:
        union.update(sketch)
    return cast(Sketch, union.get_result(tgt_hll_type.HLL_4))


def stored(sketch: Sketch) -> bytes:
    """The bytes of a sketch."""
    return bytes(sketch.serialize_compact())


def distinct(sketches: Iterable[bytes]) -> float:
    """How many people are in any of these, given as numbers or as sketches.

    A sketch that was never joined estimates from the order in which people came. Joining the result with itself
    makes the library fall back on the registers alone, so that equal people give an equal figure.
    """
    union = hll_union(LG_REGISTERS)
    for data in sketches:
        union.update(opened(data))
    union.update(union.get_result(tgt_hll_type.HLL_8))
    return float(union.get_estimate())
