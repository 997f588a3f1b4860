from __future__ import annotations

import pyarrow as pa
import pytest

from expectations.rules import Severity, build_column_rules, pandas_types
from expectations.suites.registry import SUITES
from feedback.errors import ContractViolation
from lakehouse.tables.registry import TABLES


@pytest.mark.parametrize("suite", SUITES)
def test_rule_names_are_unique_and_made_of_expectation_and_column(suite: str) -> None:
    names = [rule.name for rule in SUITES[suite].rules]

    assert len(names) == len(set(names))
    assert all("__" in name for name in names)


@pytest.mark.parametrize("suite", SUITES)
def test_required_columns_of_the_spec_are_required_by_the_suite(suite: str) -> None:
    spec = TABLES[suite]
    required = {column.name for column in spec.columns if not column.nullable and column.name in SUITES[suite].columns}

    assert required <= {rule.columns[0] for rule in SUITES[suite].rules if rule.name.startswith("not_null__")}


@pytest.mark.parametrize("suite", SUITES)
def test_free_text_never_reaches_the_checks(suite: str) -> None:
    assert not {"text", "payload", "attributes", "description"} & set(SUITES[suite].columns)


def test_every_type_of_every_table_has_a_name_in_pandas_or_none_at_all() -> None:
    for spec in TABLES.values():
        build_column_rules(spec, spec.names)


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ContractViolation, match="no rule for Arrow type"):
        pandas_types(pa.decimal128(10, 2), nullable=True)


def test_a_nullable_integer_may_stand_as_floats() -> None:
    assert pandas_types(pa.int64(), nullable=True) == ("int64", "float64")
    assert pandas_types(pa.int64(), nullable=False) == ("int64",)


@pytest.mark.parametrize("suite", SUITES)
def test_each_suite_has_critical_rules_and_softer_ones(suite: str) -> None:
    assert SUITES[suite].names(Severity.CRITICAL)
    assert SUITES[suite].names(Severity.WARNING) or SUITES[suite].names(Severity.INFO)
