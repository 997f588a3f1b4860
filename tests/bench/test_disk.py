"""What the disk bench counts, and when it says flat."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from bench.tables.disk import figures, folder_of, measure, ratings_of


def bars(sizes: list[Counter[str]], *, kept: int) -> list[bool]:
    return [figure.holds for figure in figures(sizes, kept=kept) if figure.bar != "reported"]


def test_it_is_flat_where_nothing_is_added_once_the_retention_bites() -> None:
    growing = [Counter({"dagster": 100 * number, "mlflow.db": 50}) for number in range(1, 21)]
    bitten = [Counter({"dagster": 100 * min(number, 5), "mlflow.db": 50}) for number in range(1, 21)]

    assert bars(growing, kept=5) == [False]
    assert bars(bitten, kept=5) == [True]
    assert bars(bitten[:5], kept=5) == []


def test_what_one_run_adds_is_told_by_folder() -> None:
    sizes = [Counter({"dagster": 2_000_000 * number, "run": 1_000_000}) for number in range(1, 4)]

    found = {figure.figure: figure.value for figure in figures(sizes, kept=3)}

    assert found["a run adds, dagster"] == found["a run adds, in all"] == 2.0
    assert found["a run adds, run"] == 0.0


def test_the_events_themselves_are_left_out(tmp_path: Path) -> None:
    for name in ("lake/feedback/part", "lake/items/part", "feedback-log.db-wal", "dagster/history/runs.db"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 10_000)

    assert set(measure(tmp_path)) == {"lake/items", "dagster"}
    assert folder_of("mlflow.db") == "mlflow.db"


def test_a_person_rates_each_item_once_and_likes_their_own_taste() -> None:
    ratings = list(ratings_of(7))

    assert len({rating["item_id"] for rating in ratings}) == len(ratings)
    assert all((int(r["item_id"].removeprefix("item-")) % 2 == 1) == (r["value"] == 5) for r in ratings)
    assert ratings == list(ratings_of(7))
