"""Linked subjects are one person in learning, whenever the link arrives."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from dagster_project.lib.learned import interactions_of, screened_interactions
from lakehouse.tables.feedback import FEEDBACK
from tests.lakehouse.rows import rows

ANNA, BEFORE, VISIT, BOB = "a" * 32, "b" * 32, "c" * 32, "d" * 32


def landed(*given: dict[str, Any]) -> pl.LazyFrame:
    numbered = [{"id": f"e{n}", "log_offset": n, **row} for n, row in enumerate(given)]
    return pl.DataFrame(rows(FEEDBACK, *numbered)).lazy()


def click(subject: str, item: str) -> dict[str, Any]:
    return {"kind": "click", "subject": subject, "item_id": item}


def link(subject: str, anonymous: str) -> dict[str, Any]:
    payload = f'{{"anonymous_subject":"{anonymous}"}}'
    return {"kind": "identify", "subject": subject, "item_id": None, "payload": payload}


CLICKS = [click(VISIT, "seen"), click(VISIT, "both"), click(ANNA, "both"), click(BEFORE, "old"), click(BOB, "seen")]


def pairs(*given: dict[str, Any]) -> dict[tuple[str, str], int]:
    frame = interactions_of(landed(*given)).rows
    return {(subject, item): events for subject, item, events in frame.select("subject", "item_id", "events").rows()}


def test_a_link_that_arrives_after_the_events_merges_them() -> None:
    before = pairs(*CLICKS)
    after = pairs(*CLICKS, link(ANNA, VISIT))

    assert before[VISIT, "both"] == before[ANNA, "both"] == 1
    assert after == {(ANNA, "both"): 2, (ANNA, "seen"): 1, (BEFORE, "old"): 1, (BOB, "seen"): 1}


@pytest.mark.parametrize(
    "links",
    [
        [link(ANNA, BEFORE), link(BEFORE, VISIT)],
        [link(BEFORE, VISIT), link(ANNA, BEFORE), link(ANNA, BEFORE)],
        [link(ANNA, BEFORE), link(BEFORE, VISIT), link(VISIT, ANNA)],
    ],
    ids=["chain", "the same link twice", "circle"],
)
def test_chains_and_circles_are_one_person(links: list[dict[str, Any]]) -> None:
    expected = {(ANNA, "both"): 2, (ANNA, "old"): 1, (ANNA, "seen"): 1, (BOB, "seen"): 1}

    assert pairs(*links, *CLICKS) == expected
    assert pairs(*CLICKS, *links) == expected


def test_what_is_left_out_is_told_by_person() -> None:
    screening = screened_interactions(landed(*CLICKS, link(ANNA, VISIT)))

    assert VISIT not in screening.kept().collect()["subject"].to_list()


def test_a_link_without_a_usable_payload_changes_nothing() -> None:
    assert pairs(*CLICKS, {**link(ANNA, VISIT), "payload": "[]"}) == pairs(*CLICKS)
