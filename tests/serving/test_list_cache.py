from __future__ import annotations

import tracemalloc
import uuid

import pytest

from serving.list_cache import ENTRY_BYTES, ListCache, MadeFrom, MadeList, digest


def made(body: bytes = b"", events: int = 0) -> MadeList:
    return MadeList(
        MadeFrom("v", personal=True, subjects=("s",), events=digest((0, n, 0) for n in range(events))), 0, body
    )


def test_made_lists_are_forgotten_by_their_bytes_the_idle_ones_first() -> None:
    cache = ListCache(max_bytes=3 * (ENTRY_BYTES + 100))
    kept = made(b"x" * 100)
    for subject in "abc":
        cache.put(subject, 10, kept)
    assert cache.get("a", 10) is kept

    cache.put("d", 10, kept)

    assert cache.get("a", 10) is kept
    assert cache.get("b", 10) is None
    assert cache.get("c", 10) is kept
    assert cache.get("d", 10) is kept


def test_a_list_made_again_counts_once() -> None:
    cache = ListCache(max_bytes=3 * (ENTRY_BYTES + 100))
    for subject in "abcabcabc":
        cache.put(subject, 10, made(b"x" * 100))
    assert len(cache) == 3

    cache.put("a", 10, made(b"x" * 200))

    assert len(cache) == 2


def test_one_long_list_is_kept_even_beyond_the_bound() -> None:
    cache = ListCache(max_bytes=5)
    cache.put("a", 1000, made(b"x" * 1000))

    assert len(cache) == 1


@pytest.mark.parametrize("events", [0, 1000])
def test_a_full_cache_takes_no_more_memory_than_it_may_whatever_its_lists_were_made_from(events: int) -> None:
    cache = ListCache(max_bytes=1 << 20)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(2_000):
            cache.put(uuid.uuid4().hex, 10, made(b"%0500d" % number, events))
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    assert 0.5 * (1 << 20) < taken <= 1 << 20


def test_other_events_have_another_digest() -> None:
    places = [(0, 1, 2), (0, 1, 3), (1, 1, 2)]

    assert digest(places) == digest(iter(places))
    assert len({digest(places), digest(places[:2]), digest(places[::-1]), digest([])}) == 4
