from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

import lakehouse.tables
from feedback.errors import ContractViolation
from lakehouse.tables.items import ITEMS
from lakehouse.tables.registry import TABLES, declared_tables, in_order

NEW_TABLE = """
import pyarrow as pa
from lakehouse.tables.spec import TableSpec, required

THEMES = TableSpec(
    name="themes",
    grain="one row per theme",
    key=("theme",),
    columns=(required("theme", pa.string(), "what many ask for", personal=False),),
    built_from=("interactions",),
)
"""


def test_a_new_module_is_a_new_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "themes.py").write_text(NEW_TABLE)
    monkeypatch.setattr(lakehouse.tables, "__path__", [*lakehouse.tables.__path__, str(tmp_path)])

    try:
        tables = in_order(declared_tables())
    finally:
        sys.modules.pop("lakehouse.tables.themes", None)

    assert set(tables) == {*TABLES, "themes"}
    assert list(tables).index("themes") > list(tables).index("interactions")


def test_a_table_comes_after_those_that_it_is_built_from() -> None:
    order = list(TABLES)

    assert order[0] == "feedback"
    assert all(order.index(source) < order.index(name) for name, spec in TABLES.items() for source in spec.built_from)


def test_two_tables_of_one_name_are_refused() -> None:
    with pytest.raises(ContractViolation, match="two tables are declared with the name 'items'"):
        in_order([*TABLES.values(), replace(ITEMS, version=2)])


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(ContractViolation, match=r"table items is built from \['reviews'\]"):
        in_order([replace(ITEMS, built_from=("reviews",))])


def test_tables_that_are_built_from_one_another_are_refused() -> None:
    one, other = replace(ITEMS, built_from=("b",)), replace(ITEMS, name="b", built_from=("items",))

    with pytest.raises(ContractViolation, match="in a circle"):
        in_order([one, other])
