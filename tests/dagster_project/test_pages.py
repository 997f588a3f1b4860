from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from dagster_project.lib.comparison import challenger_figures, figures, figures_table, rulings_table
from dagster_project.lib.handover import positions_of
from dagster_project.lib.metadata import column_schema, counts_table, markdown_table
from dagster_project.lib.plots import comparison as plotted
from dagster_project.lib.plots import preference_histogram
from lakehouse.tables.items import ITEMS
from models.evaluation.comparison import Scorecard
from models.evaluation.gate import decide
from models.evaluation.metrics import Metrics
from models.evaluation.populations import Judged, Population
from models.learning.comparison import Comparison

GOOD = Metrics(ndcg=0.5, precision=0.3, recall=0.4, map=0.2, coverage=0.9, disliked=0.01, users=50, k=10)
PLAIN = Metrics(ndcg=0.3, precision=0.2, recall=0.3, map=0.1, coverage=0.4, disliked=0.05, users=50, k=10)


def judged(metrics: Metrics) -> Judged:
    return Judged(metrics, np.full(metrics.users, metrics.ndcg))


COMPARISON = Comparison(
    evaluation_id="run",
    scorecards=(
        Scorecard("decayed_popularity", "stratified", {"half_life_days": 30.0}, {Population.ALL: judged(PLAIN)}),
        Scorecard(
            "signed_als",
            "stratified",
            {"rank": 8},
            {Population.ALL: judged(GOOD), Population.KNOWN: judged(replace(GOOD, ndcg=0.6, users=40))},
        ),
    ),
    parameters={"signed_als": {"rank": 8}},
    missing={"global_time": "one moment"},
    mlflow_runs={"signed_als": "abc"},
)


def test_figures_are_one_record_per_recommender_and_split() -> None:
    records = figures(COMPARISON)

    assert [(r["recommender"], r["chosen"], r["mlflow_run_id"]) for r in records] == [
        ("decayed_popularity", False, None),
        ("signed_als", True, "abc"),
    ]
    assert records[1]["metrics"]["ndcg"] == 0.5
    assert (records[0]["known_users"], records[1]["known_users"], records[1]["known"]["ndcg"]) == (0, 40, 0.6)
    assert challenger_figures(COMPARISON) == {"stratified_ndcg": 0.5, "stratified_disliked": 0.01}


def test_tables_are_markdown_with_numbers_to_the_right() -> None:
    assert markdown_table(["name", "n"], [["a|b", 1200], ["c", 3]]).splitlines() == [
        "| name | n |",
        "| :--- | ---: |",
        "| a\\|b | 1,200 |",
        "| c | 3 |",
    ]
    assert counts_table("code", {"a": 1, "b": 5}).splitlines()[2] == "| b | 5 |"
    table = figures_table(COMPARISON, split="stratified")
    assert "| signed_als | all (50) | 0.500 to 0.500 | 0.5000 | 0.0100 |" in table
    assert "| signed_als | known (40) | 0.600 to 0.600 | 0.6000 | 0.0100 |" in table


def test_every_rule_of_the_gate_is_shown_with_its_figure_and_bound() -> None:
    result = decide({"stratified": GOOD}, {"stratified": PLAIN}, missing={"global_time": "one moment"})

    table = rulings_table(result)

    assert result.passed
    assert "| ✓ | ndcg_over_baseline | stratified | 0.5 | 0.306 |" in table


def test_plots_are_pictures_inside_markdown() -> None:
    values = {"signed_als": dict(GOOD.figures()), "popularity": dict(PLAIN.figures())}

    for picture in (plotted(values, ["ndcg", "disliked"], title="split"), preference_histogram(np.array([-1.0, 0.5]))):
        assert picture.startswith("![")
        assert "data:image/png;base64," in picture


def test_the_pages_show_a_tables_columns_as_declared() -> None:
    schema = column_schema(ITEMS)

    assert [column.name for column in schema.columns] == list(ITEMS.names)
    assert schema.columns[0].constraints.nullable is False


def test_positions_reach_just_beyond_the_last_row_of_each_partition() -> None:
    rows = pl.DataFrame({"log_partition": [0, 0, 3], "log_offset": [4, 9, 0]}).lazy()

    assert positions_of(rows) == {0: 10, 3: 1}
