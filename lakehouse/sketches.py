"""How many distinct people: HLL sketches of bounded size (Apache DataSketches), a home of the library.

2,048 registers: exact to about 190 people, then within 2.3 % (one standard error), at most about 1 KB. Numbers go
in, not pseudonyms, because the library takes one value per call and is twice as fast with them; no pseudonym can
be read from a sketch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Protocol, cast

import polars as pl
from datasketches import hll_sketch, hll_union, tgt_hll_type

LG_REGISTERS = 11
NUMBER_DIGITS = 15
"""Last hexadecimal digits of a pseudonym that make its number: 60 bits, so that it fits a signed integer."""
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
    hashed = [int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest()) for name in names]
    spare = subjects.replace_strict(names, pl.Series(hashed, dtype=pl.Int64), default=None, return_dtype=pl.Int64)
    return pl.select(pl.coalesce(numbers, spare)).to_series()


def opened(data: bytes | None) -> Sketch:
    """A sketch to add to, from its bytes or empty."""
    return cast(Sketch, hll_sketch.deserialize(data) if data else hll_sketch(LG_REGISTERS, tgt_hll_type.HLL_4))


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
    """How many people are in any of these sketches.

    A sketch that was never joined estimates from the order in which people came. Joining the result with itself
    makes the library fall back on the registers alone, so that equal people give an equal figure.
    """
    union = hll_union(LG_REGISTERS)
    for data in sketches:
        union.update(hll_sketch.deserialize(data))
    union.update(union.get_result(tgt_hll_type.HLL_8))
    return float(union.get_estimate())
