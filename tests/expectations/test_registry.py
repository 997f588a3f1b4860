from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

import expectations.suites
from expectations.suites.items import ITEMS_SUITE
from expectations.suites.registry import SUITES, by_table, declared_suites
from feedback.errors import ContractViolation
from lakehouse.tables.items import ITEMS

NEW_SUITE = """
from expectations.rules import build_column_rules
from expectations.suite import Suite
from lakehouse.tables.evaluations import EVALUATIONS as TABLE

EVALUATIONS_SUITE = Suite(
    table=TABLE, rules=build_column_rules(TABLE, TABLE.names), columns=TABLE.names, derive=lambda rows, _=None: rows,
    keys=(TABLE.key,),
)
"""


def test_a_new_module_is_a_new_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evaluations.py").write_text(NEW_SUITE)
    monkeypatch.setattr(expectations.suites, "__path__", [*expectations.suites.__path__, str(tmp_path)])

    try:
        suites = by_table(declared_suites())
    finally:
        sys.modules.pop("expectations.suites.evaluations", None)

    assert set(suites) == {*SUITES, "evaluations"}


def test_what_looks_into_the_catalogue_comes_after_the_catalogue() -> None:
    assert list(SUITES) == ["feedback", "items", "interactions"]


def test_two_suites_of_one_table_are_refused() -> None:
    with pytest.raises(ContractViolation, match="two suites are about the table 'items'"):
        by_table([ITEMS_SUITE, replace(ITEMS_SUITE, columns=())])


def test_a_suite_of_no_table_is_refused() -> None:
    with pytest.raises(ContractViolation, match="about the table 'reviews', which no module declares"):
        by_table([replace(ITEMS_SUITE, table=replace(ITEMS, name="reviews"))])
