from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from feedback.errors import ContractViolation
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.registry import TABLES
from lakehouse.tables.spec import Column, TableSpec


def test_a_column_must_say_whether_it_is_personal() -> None:
    with pytest.raises(TypeError, match="personal"):
        Column("mood", pa.string(), "how the person felt")  # type: ignore[call-arg]


@pytest.mark.parametrize("subject", ["item_id", "nobody"])
def test_the_subject_is_a_personal_column_of_the_table(subject: str) -> None:
    with pytest.raises(ContractViolation, match=f"its subject '{subject}' is not one of its personal columns"):
        replace(FEEDBACK, subject=subject)


def test_statistics_never_copy_a_personal_column_into_the_delta_log() -> None:
    with pytest.raises(ContractViolation, match=r"the personal \['session_id', 'text'\]"):
        replace(FEEDBACK, stats_columns=("kind", "text", "session_id"))


@pytest.mark.parametrize("spec", TABLES.values(), ids=lambda spec: spec.name)
def test_a_pseudonym_is_personal_and_names_the_subject(spec: TableSpec) -> None:
    pseudonyms = [column for column in spec.columns if column.name == "subject"]

    assert spec.subject == ("subject" if pseudonyms else None)
    assert all(column.personal for column in pseudonyms)


@pytest.mark.parametrize(
    ("table", "column"),
    [("feedback", "text"), ("feedback", "attributes"), ("feedback", "payload"), ("quarantine", "raw"),
     ("quarantine", "detail"), ("replays", "line"), ("signals", "people")],
)  # fmt: skip
def test_what_a_person_wrote_is_personal(table: str, column: str) -> None:
    assert next(c for c in TABLES[table].columns if c.name == column).personal
