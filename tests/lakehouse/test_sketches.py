from __future__ import annotations

import random

import numpy as np
import polars as pl
import pytest

from lakehouse.sketches import (
    People,
    added,
    distinct,
    is_packed,
    numbers_of,
    opened,
    people_column,
    stored,
    unpacked,
)


def sketches(people: list[int], parts: int) -> list[bytes]:
    return [stored(added(opened(None), people[part::parts])) for part in range(parts)]


def by_number(people: list[int]) -> bytes:
    (kept,) = people_column(np.array([len(people)]), np.array(people, dtype=np.int64), {}).to_list()
    return bytes(kept)


@pytest.mark.parametrize("count", [0, 1, 60, 65, 150, 193, 1_000, 50_000])
def test_the_estimate_is_near_and_does_not_depend_on_order_repeats_or_parts(count: int) -> None:
    rng = random.Random(count)
    people = [rng.getrandbits(32) for _ in range(count)]
    estimates = set()
    for parts in (1, 1, 3, 7):
        rng.shuffle(people)
        estimates.add(distinct(sketches(people + people[: count // 3], parts)))

    assert len(estimates) == 1
    assert estimates.pop() == pytest.approx(count, rel=0.0001 if count < 190 else 0.07)


def test_few_people_by_number_and_in_a_sketch_are_the_same_people() -> None:
    kept = by_number([0, 7, 2**32 - 1])

    assert is_packed(kept)
    assert not is_packed(stored(opened(kept)))
    assert unpacked(kept).tolist() == [0, 7, 2**32 - 1]
    assert distinct([kept, stored(added(opened(None), [7, 8]))]) == distinct([stored(opened(kept)), by_number([8])])
    assert round(distinct([kept, by_number([0, 7, 2**32 - 1])])) == 3


def test_a_column_of_people_comes_back_as_it_was_made() -> None:
    crowd = stored(added(opened(None), range(500)))
    column = people_column(np.array([2, 3, 0, 1]), np.array([1, 2, 7, 8, 9, 5]), {1: crowd})

    people = People.of(pl.concat([pl.Series([None, b"skipped"]), column, pl.Series([None])], rechunk=False)[2:])
    row, number = people.numbers()

    assert column.to_list() == [by_number([1, 2]), crowd, by_number([]), by_number([5])]
    assert (row.tolist(), number.tolist()) == ([0, 0, 3], [1, 2, 5])
    assert [people.sketch(place) for place in range(len(people))] == [None, crowd, None, None, None]
    assert len(People.of(pl.Series([], dtype=pl.Binary))) == 0


def test_a_sketch_stays_small() -> None:
    assert len(stored(added(opened(None), range(1_000_000)))) < 1_200
    assert len(stored(added(opened(None), [1]))) < 20


def test_people_get_equal_numbers_in_every_process_whatever_their_pseudonyms_look_like() -> None:
    subjects = pl.Series(["0123456789abcdef" * 2, None, "not hexadecimal", "not hexadecimal", "another", ""])

    numbers = numbers_of(subjects)

    assert numbers[0] == 0x89ABCDEF
    assert numbers[1] is None
    assert numbers[2] == numbers[3]
    assert numbers.n_unique() == 5
    assert numbers_of(pl.Series(["a" * 24 + "-1234567", "b" * 24 + "+1234567", "0" * 32])).ge(0).all()
    assert numbers_of(subjects.reverse()).to_list() == numbers.reverse().to_list()
