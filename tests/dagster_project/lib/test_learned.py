"""One accepted event with an odd time spoils neither popularity nor later statements."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from dagster_project.lib.catalogue import build_catalogue
from dagster_project.lib.learned import catalogue_events, interactions_of
from feedback.bounds import DEFAULT_MAX_FUTURE, EARLIEST, LATEST
from lakehouse.tables.feedback import FEEDBACK
from models.evaluation.splits import global_time
from models.interaction_matrix import ItemIndex
from models.recommenders.popularity import HALF_LIFE_DAYS, decayed_popularity_of
from tests.conftest import NOW
from tests.lakehouse.rows import rows

ODD_TIMES = [EARLIEST, datetime(1969, 12, 31, tzinfo=UTC), NOW + timedelta(minutes=40), NOW.replace(year=2099), LATEST]


def landed(*given: dict[str, Any]) -> pl.LazyFrame:
    numbered = [{"id": f"e{n}", "log_offset": n, **row} for n, row in enumerate(given)]
    return pl.DataFrame(rows(FEEDBACK, *numbered)).lazy()


def clicks() -> list[dict[str, Any]]:
    return [
        {"kind": "click", "subject": f"{n:032x}", "item_id": f"i{n % 3 if n < 20 else 0}",
         "occurred_at": NOW - timedelta(days=n)}
        for n in range(40)
    ]  # fmt: skip


@pytest.mark.parametrize("moment", ODD_TIMES, ids=str)
def test_what_is_popular_stays_so_beside_an_event_of_any_time(moment: datetime) -> None:
    odd = {"kind": "click", "subject": "f" * 32, "item_id": "odd", "occurred_at": moment}
    frame = interactions_of(landed(*clicks(), odd)).rows
    index = ItemIndex.of(frame)

    scores = dict(zip(index.ids, decayed_popularity_of(frame, index, half_life_days=HALF_LIFE_DAYS), strict=True))

    assert scores["i0"] > scores["i1"] > scores["odd"] >= 0.0
    assert frame["last_at"].max() <= NOW + DEFAULT_MAX_FUTURE
    split = global_time(frame)
    assert split.train.height >= 30


def test_a_statement_from_the_future_is_replaced_by_one_that_arrives_later() -> None:
    rated = {"subject": "f" * 32, "scale_min": 1.0, "scale_max": 5.0}
    ahead = {**rated, "value": 5.0, "occurred_at": NOW.replace(year=2099)}
    later = NOW + timedelta(hours=1)
    now = {**rated, "value": 1.0, "occurred_at": later, "received_at": later}

    assert interactions_of(landed(ahead, now)).rows["explicit"].to_list() == [-1.0]


def test_a_catalogue_entry_from_the_future_is_replaced_by_one_that_arrives_later() -> None:
    entry = {"kind": "item", "subject": None}
    later = NOW + timedelta(hours=1)
    first = {**entry, "payload": '{"title":"first"}', "occurred_at": NOW.replace(year=2099)}
    second = {**entry, "payload": '{"title":"second"}', "occurred_at": later, "received_at": later}

    assert build_catalogue(catalogue_events(landed(first, second))).rows["title"].to_list() == ["second"]
