from __future__ import annotations

import random

import numpy as np
import polars as pl
import pytest

from lakehouse.sketches import added, distinct, is_packed, joined, numbers_of, opened, packed, stored, unpacked


def sketches(people: list[int], parts: int) -> list[bytes]:
    return [stored(added(opened(None), people[part::parts])) for part in range(parts)]


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


def test_joining_equals_adding_one_by_one() -> None:
    first, second = list(range(3_000)), list(range(2_000, 6_000))

    whole = joined([added(opened(None), first), added(opened(None), second)])

    assert distinct([stored(whole)]) == distinct([stored(added(opened(None), first + second))])


def test_few_people_by_number_and_in_a_sketch_are_the_same_people() -> None:
    few = np.array([7, 2**32 - 1, 0], dtype=np.int64)

    kept = packed(few)

    assert is_packed(kept)
    assert not is_packed(stored(opened(kept)))
    assert unpacked(kept).tolist() == [0, 7, 2**32 - 1]
    assert distinct([kept, stored(added(opened(None), [7, 8]))]) == distinct(
        [stored(opened(kept)), packed(few[:1] + 1)]
    )
    assert round(distinct([kept, packed(few)])) == 3


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
    assert numbers_of(subjects.reverse()).to_list() == numbers.reverse().to_list()
