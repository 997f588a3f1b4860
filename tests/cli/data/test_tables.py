from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from cli.data.tables import tables
from feedback.errors import UsageError
from feedback.settings.home import load_settings
from lakehouse.lake import open_lake
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.registry import TABLES
from tests.lakehouse.rows import rows


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(tables, [*arguments, "--home", str(home)])


def test_every_table_is_told_with_its_columns_and_its_state(tmp_path: Path) -> None:
    open_lake(load_settings(tmp_path)).append(FEEDBACK, rows(FEEDBACK, {"id": "a", "log_offset": 0}))

    told = {record["table"]: record for record in map(json.loads, run(tmp_path, "--json").stdout.splitlines())}

    assert list(told) == list(TABLES)
    assert (told["feedback"]["version"], told["feedback"]["rows"], told["feedback"]["subject"]) == (1, 1, "subject")
    assert (told["items"]["version"], told["items"]["rows"], told["items"]["subject"]) == (None, None, None)
    personal = {column["name"]: column["personal"] for column in told["feedback"]["columns"]}
    assert list(personal) == list(FEEDBACK.names)
    assert (personal["text"], personal["item_id"]) == (True, False)


def test_people_see_the_tables_they_name(tmp_path: Path) -> None:
    words = " ".join(run(tmp_path, "items", "replays").stdout.split())

    assert "items: one row per item, its latest catalogue entry" in words
    assert "line string personal what to append; null once it is in the log" in words
    assert "interactions" not in words


def test_an_unknown_table_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    error = run(tmp_path, "itmes").exception

    assert isinstance(error, UsageError)
    assert str(error).startswith("there is no table itmes; the tables are feedback, ")
