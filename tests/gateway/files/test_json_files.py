from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from feedback.errors import ImportFileError
from gateway.files.columns import ImportPlan
from gateway.files.formats.json_files import read_json
from gateway.files.importing import FileStopped
from tests.gateway.files.importing import AT, Importing

EVENTS: list[dict[str, Any]] = [
    {"kind": "rating", "user_id": f"u{n}", "item_id": f"i{n}", "value": 4, "scale": [1, 5], "occurred_at": AT}
    for n in range(3)
]
LINES = "".join(json.dumps(event) + "\n" for event in EVENTS)
CARRIED = ImportPlan()


@pytest.mark.parametrize("ending", ["json", "jsonl", "ndjson", "json.gz"])
@pytest.mark.parametrize(
    "content",
    [LINES, json.dumps(EVENTS), json.dumps(EVENTS, indent=2), "\n".join(json.dumps(e, indent=2) for e in EVENTS),
     "\ufeff" + LINES, "\ufeff \n" + json.dumps(EVENTS), LINES.replace("\n", "\r\n\r\n"), LINES.replace("\n", "\r")],
    ids=["lines", "array", "pretty array", "pretty objects", "mark", "mark and array", "blank lines", "returns"],
)  # fmt: skip
def test_events_are_read_however_they_are_laid_out(importing: Importing, ending: str, content: str) -> None:
    data = content.encode()

    report = importing.file(f"e.{ending}", gzip.compress(data) if ending.endswith("gz") else data, CARRIED)

    assert report.counts.accepted == 3


def test_strings_may_hold_what_looks_like_structure(importing: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.files.formats.json_files.HEAD_BYTES", 7)
    texts = ['a "b" ]}', "\\", 'é{[,"\\', "]", ""]
    events = [{**EVENTS[0], "item_id": f"i{n}", "text": f"{text}."} for n, text in enumerate(texts)]

    report = importing.file("e.json", json.dumps(events, ensure_ascii=False, indent=1), CARRIED)

    assert report.counts.accepted == 5
    assert [event.text for event in importing.events()] == [f"{text}." for text in texts]


def test_each_bad_element_of_an_array_is_refused_alone(importing: Importing) -> None:
    good = json.dumps(EVENTS[0])

    report = importing.file("e.json", f'[{good}, 17, {{"kind": rating}}, "a,b", , {json.dumps(EVENTS[1])}]', CARRIED)

    assert report.counts.accepted == 2
    assert [(row["row"], row["code"]) for row in importing.refused()] == [
        (2, "not_an_object"), (3, "not_json"), (4, "not_an_object"), (5, "not_json"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (json.dumps(EVENTS)[:-1], "cut short or lacks a closing bracket, in event 3"),
        (json.dumps(EVENTS, indent=1)[:-30], "cut short or lacks a closing bracket, in event 3 that begins near line 2"),  # noqa: E501
        (json.dumps(EVENTS) + " x", "'x' stands outside of any event, in event 4"),
        (json.dumps(EVENTS) + "]", "closes what was never opened"),
    ],
    ids=["no bracket", "cut", "garbage", "too many brackets"],
)  # fmt: skip
def test_an_array_that_stops_says_how_many_are_in(importing: Importing, content: str, words: str) -> None:
    with pytest.raises(FileStopped, match=words) as stopped:
        importing.file("e.json", content, CARRIED)
    assert stopped.value.exit_code == 1
    assert stopped.value.report.counts.accepted == len(importing.events())
    assert f"{len(importing.events())} accepted" in str(stopped.value)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["e.json", "e.jsonl"])
def test_an_object_that_wraps_a_list_is_told_plainly(importing: Importing, name: str, indent: int | None) -> None:
    with pytest.raises(ImportFileError, match="one object whose field 'events' holds the list") as refused:
        importing.file(name, json.dumps({"total": 3, "events": EVENTS}, indent=indent), CARRIED)
    assert "jq '.events'" in str(refused.value)
    assert not isinstance(refused.value, FileStopped)


def test_an_element_that_would_fill_the_memory_ends_the_file(
    importing: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.files.formats.json_files.MAX_LINE_BYTES", 1_000)
    monkeypatch.setattr("gateway.files.formats.json_files.HEAD_BYTES", 300)

    with pytest.raises(FileStopped, match="an event may have 1,000 bytes"):
        importing.file("e.json", json.dumps([EVENTS[0], {**EVENTS[1], "text": "x" * 5_000}]), CARRIED)


def test_a_cut_archive_says_the_line_and_how_many_are_in(importing: Importing) -> None:
    lines = "".join(json.dumps({**EVENTS[0], "item_id": f"i{n * 7919 % 10_000}"}) + "\n" for n in range(6_000))
    whole = gzip.compress(lines.encode(), mtime=0)

    with pytest.raises(FileStopped, match="cut short in line") as stopped:
        importing.file("e.jsonl.gz", whole[: len(whole) // 2], CARRIED)
    counts = stopped.value.report.counts
    assert f"in line {counts.accepted + 1:,}; the {counts.accepted:,} rows before" in str(stopped.value)
    again = importing.file("whole.jsonl.gz", whole, CARRIED)
    assert (again.counts.duplicates, again.counts.accepted) == (counts.accepted, 6_000 - counts.accepted)


def test_nan_is_nothing_and_infinity_is_no_json(importing: Importing) -> None:
    lines = [
        '{"kind":"click","user_id":"u","item_id":"a","occurred_at":NaN}',
        '{"kind":"return","user_id":"u","item_id":"b","price":NaN}',
        '{"kind":"return","user_id":"u","item_id":"c","price":Infinity,"quantity":NaN}',
        '{"kind":"click","user_id":"u","item_id":"NaN"',
    ]

    importing.file("e.jsonl", "\n".join(lines), CARRIED)

    assert [event.item_id for event in importing.events()] == ["a", "b"]
    assert [(row["row"], row["code"]) for row in importing.refused()] == [(3, "not_json"), (4, "not_json")]


def test_cloud_events_of_a_file_are_opened_like_those_of_a_request(importing: Importing) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/app", "type": "com.example.click", "time": AT,
             "data": {"user_id": "u", "item_id": "i"}}  # fmt: skip

    assert importing.file("e.jsonl", json.dumps(event), CARRIED).counts.accepted == 1


def test_an_array_is_read_in_pieces(importing: Importing) -> None:
    path = importing.folder / "big.json"
    path.write_text(json.dumps(EVENTS * 2_000), encoding="utf-8")

    assert sum(1 for _ in read_json(path)) == 6_000
