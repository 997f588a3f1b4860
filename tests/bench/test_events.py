"""The events of the landing bench: the same for the same seed, valid, and with as many repeats as they say."""

from __future__ import annotations

import msgspec
import pytest

from bench.drains.events import CHUNK_EVENTS, REPEATS, rating_chunks
from feedback.admitted import AdmittedEvent
from feedback.log.port import partition_of

AT = 1_772_366_400_000_000
EVENTS = 3 * CHUNK_EVENTS


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    return [line for chunk in rating_chunks(EVENTS, partitions=4, seed=1, first_at_us=AT) for line in chunk.lines]


def test_a_seed_gives_the_same_lines_and_another_seed_others(lines: list[bytes]) -> None:
    again = next(rating_chunks(EVENTS, partitions=4, seed=1, first_at_us=AT))
    other = next(rating_chunks(EVENTS, partitions=4, seed=2, first_at_us=AT))

    assert again.lines == lines[:CHUNK_EVENTS]
    assert other.lines != again.lines


def test_lines_are_admitted_events_in_the_partition_of_their_person() -> None:
    chunk = next(rating_chunks(500, partitions=4, seed=1, first_at_us=AT))
    events = [msgspec.json.decode(line, type=AdmittedEvent) for line in chunk.lines]

    assert [partition_of(event.subject or "", 4) for event in events] == chunk.partitions
    assert {event.kind for event in events} == {"rating"}


def test_a_share_of_the_events_repeats_an_earlier_one(lines: list[bytes]) -> None:
    """The first chunk has nothing to repeat."""
    repeats = EVENTS - len(set(lines))

    assert len(lines) == EVENTS
    assert repeats == pytest.approx(REPEATS * (EVENTS - CHUNK_EVENTS), rel=0.05)


def test_an_event_is_about_316_bytes(lines: list[bytes]) -> None:
    assert sum(map(len, lines)) / EVENTS == pytest.approx(316, abs=6)
