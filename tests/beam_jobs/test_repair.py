"""A person's function over a quarantined line: what it may return, and what is said when it cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from beam_jobs.repair import Left, load_repair, repaired_line
from feedback.errors import UsageError

PLACE = (2, 31, 4)


def repaired(raw: str, repair: Any) -> Any:
    line = repaired_line(raw, PLACE, repair)
    return line if isinstance(line, Left) else json.loads(line)


def test_the_function_gets_the_fields_or_the_raw_text_where_there_are_none() -> None:
    seen: list[dict[str, Any]] = []

    for raw in ('{"id":"a","value":9}', "{broken", "[1]"):
        repaired(raw, lambda event: seen.append(event) or {"id": "a"})

    assert seen == [{"id": "a", "value": 9}, {"raw": "{broken"}, {"raw": "[1]"}]


@pytest.mark.parametrize(
    ("returned", "line"),
    [
        ({"id": "a", "value": 5}, {"id": "a", "value": 5}),
        ({"value": 5}, {"value": 5, "id": "replay-2-31-4"}),
        ({"id": None}, {"id": "replay-2-31-4"}),
        ({"id": "a", "attributes": {"x": 1}, "payload": {}}, {"id": "a", "attributes": '{"x":1}', "payload": "{}"}),
        (None, Left("repair left it")),
        ([1], Left("repair returned list, not an event as a dict or None")),
        ("x", Left("repair returned str, not an event as a dict or None")),
    ],
    ids=["repaired", "no id", "null id", "attributes as fields", "none", "list", "text"],
)
def test_what_it_returns_becomes_a_line_or_a_reason(returned: object, line: object) -> None:
    assert repaired('{"id":"a"}', lambda _: returned) == line


def test_what_it_raises_or_cannot_be_written_leaves_the_row_alone() -> None:
    failed = repaired('{"id":"a"}', lambda event: event["colour"])
    odd = repaired('{"id":"a"}', lambda event: {"id": "a", "what": object()})

    assert failed == Left("repair raised KeyError: 'colour'")
    assert isinstance(odd, Left)
    assert "cannot be written as JSON" in odd.reason


def test_without_a_function_a_line_goes_as_it_stands_and_gets_an_id_if_it_has_none() -> None:
    assert repaired_line('{ "id":"a" }', PLACE, None) == b'{ "id":"a" }'
    assert repaired_line("{broken", PLACE, None) == b"{broken"
    assert repaired("{}", None) == {"id": "replay-2-31-4"}


def test_a_file_of_an_earlier_release_calls_the_function_mend(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "former.py"
    path.write_text("def mend(event): return {'id': 'b'}")

    assert repaired('{"id":"a"}', load_repair(path)) == {"id": "b"}
    assert "is called `repair` now" in caplog.text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no such file"),
        ("def repair(event: oops", "does not run: SyntaxError"),
        ("import nowhere_to_be_found", "does not run: ModuleNotFoundError"),
        ("cure = lambda event: event", "defines no function; write `def repair"),
        ("repair = 7", "defines no function; write `def repair"),
    ],
    ids=["missing", "syntax", "import", "other name", "no function"],
)
def test_a_file_that_cannot_repair_is_refused_in_words(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "repair.py"
    if content is not None:
        path.write_text(content)

    with pytest.raises(UsageError, match=words):
        load_repair(path)
