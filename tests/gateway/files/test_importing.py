from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feedback.admitted import AdmittedEvent
from feedback.errors import ImportFileError, LogError
from feedback.intake import Intake, open_intake
from feedback.settings.home import Settings
from gateway.files.columns import ImportPlan
from gateway.files.importing import FileStopped, ImportReport, import_file

RATINGS = ImportPlan(
    kind="rating",
    columns={"user_id": "userId", "item_id": "movieId", "value": "rating", "occurred_at": "timestamp"},
    scale=(0.5, 5.0),
)
CSV = "userId,movieId,rating,timestamp\n007,0110912,4.5,1260759144\n9223372036854775807,2,3,1260759144000\n"

Import = Callable[..., ImportReport]


@pytest.fixture
def intake(settings: Settings) -> Intake:
    return open_intake(settings)


@pytest.fixture
def run(intake: Intake, tmp_path: Path) -> Import:
    def run(name: str, content: str | bytes, plan: ImportPlan = RATINGS) -> ImportReport:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return import_file(path, plan, intake, refused_to=tmp_path / "refused.jsonl")

    return run


def events(intake: Intake) -> list[AdmittedEvent]:
    lines = [ln for p in range(4) for r in intake.log.read(p, 0, max_events=10_000) for ln in r.value.split(b"\n")]
    return sorted((msgspec.json.decode(line, type=AdmittedEvent) for line in lines), key=lambda e: e.item_id or "")


def test_ids_stay_the_text_they_are_and_times_are_read_in_seconds_or_milliseconds(run: Import, intake: Intake) -> None:
    report = run("ratings.csv", CSV)

    first, second = events(intake)
    assert report.counts.accepted == 2
    assert (first.item_id, first.value, first.scale_min, first.occurred_at) == ("0110912", 4.5, 0.5, 1260759144000000)
    assert second.occurred_at == first.occurred_at


def test_the_same_file_twice_is_all_duplicates(run: Import) -> None:
    run("ratings.csv", CSV)

    assert run("again.csv", CSV).counts.duplicates == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.tsv", CSV.replace(",", "\t")),
        ("r.csv.gz", gzip.compress(CSV.encode(), mtime=0)),
        (
            "r.jsonl",
            '{"userId":"7","movieId":"1","rating":4,"timestamp":1260759144}\n{"userId":"8","movieId":"1","rating":4,"timestamp":1260759144}',
        ),
        ("bom.csv", "\ufeff" + CSV),
    ],
    ids=["tsv", "gzip", "json lines", "byte order mark"],
)
def test_formats_are_known_by_their_ending(run: Import, name: str, content: str | bytes) -> None:
    assert run(name, content).counts.accepted == 2


def test_parquet_is_read(intake: Intake, tmp_path: Path) -> None:
    table = pa.table(
        {"userId": [1, 2], "movieId": ["a", "b"], "rating": [4.0, 5.0], "timestamp": [1260759144, 1260759145]}
    )
    pq.write_table(table, tmp_path / "r.parquet")

    report = import_file(tmp_path / "r.parquet", RATINGS, intake, refused_to=tmp_path / "refused.jsonl")

    assert report.counts.accepted == 2


def test_a_separator_of_two_characters_and_no_header(run: Import, intake: Intake) -> None:
    plan = ImportPlan(
        kind="rating", separator="::", names=("user_id", "item_id", "value", "occurred_at"), scale=(0, 10)
    )

    assert run("ratings.dat", "1::0068646::10::1381620027\n1::0113277::0::1379466669\n", plan).counts.accepted == 2
    assert [event.value for event in events(intake)] == [10, 0]


def test_items_take_lists_apart(run: Import, intake: Intake) -> None:
    plan = ImportPlan(kind="item", columns={"item_id": "movieId", "title": "title", "categories": "genres"})

    run("movies.csv", 'movieId,title,genres\n1,"Seven, The",Crime|Thriller\n', plan)

    (item,) = events(intake)
    assert msgspec.json.decode(item.payload or "")["categories"] == ["Crime", "Thriller"]
    assert msgspec.json.decode(item.payload or "")["title"] == "Seven, The"


def test_rows_that_are_events_already_pass_as_they_are(run: Import) -> None:
    lines = '{"kind":"click","user_id":"u","item_id":"i"}\n{"kind":"view","user_id":"u"}\nnot json\n'

    report = run("events.jsonl", lines, ImportPlan())

    assert (report.counts.accepted, report.counts.codes) == (2, {"not_json": 1})


def test_refused_rows_are_written_with_their_place_and_reason(run: Import, tmp_path: Path) -> None:
    report = run("ratings.csv", CSV + "5,6,7,1260759144\n,6,4,1260759144\n5,6,4,someday\n")

    refused = [msgspec.json.decode(line) for line in (tmp_path / "refused.jsonl").read_bytes().splitlines()]
    assert (tmp_path / "refused.jsonl").stat().st_mode & 0o777 == 0o600
    assert report.counts.rejected == 3
    assert [(row["row"], row["code"]) for row in refused] == [(4, "out_of_range"), (5, "no_subject"), (6, "bad_time")]
    assert refused[0]["raw"] == {"userId": "5", "movieId": "6", "rating": "7", "timestamp": "1260759144"}


@pytest.mark.parametrize(
    ("name", "content", "plan", "words"),
    [
        ("r.csv", "", RATINGS, "the file is empty"),
        ("r.csv", "userId,movieId,rating,timestamp\n", RATINGS, "no rows"),
        ("r.xlsx", "x", RATINGS, "format '.xlsx' is unknown"),
        (
            "r.csv",
            "user,movieId,rating,timestamp\n1,2,3,4\n",
            RATINGS,
            "no column 'userId' .for user_id.; the file has 'user'",
        ),
        ("r.csv", CSV, ImportPlan(kind="raiting"), "'raiting' is unknown"),
        ("r.csv", CSV, ImportPlan(kind="rating", columns={"stars": "rating"}), "has no field 'stars'"),
        ("r.csv", CSV, ImportPlan(kind="rating", scale=(5, 1)), "low to high"),
        ("r.csv", b"userId\n\xff\xfe\n", ImportPlan(kind="rating", columns={"user_id": "userId"}), "not UTF-8"),
        ("r.csv.gz", gzip.compress(CSV.encode(), mtime=0)[:-12], RATINGS, "cut short"),
        ("r.parquet", b"PAR1 not really", RATINGS, "not a readable Parquet"),
    ],
    ids=["empty", "header only", "format", "column", "kind", "field", "scale", "encoding", "cut gzip", "no parquet"],
)
def test_a_file_that_cannot_be_used_is_refused_in_words(
    run: Import, name: str, content: str | bytes, plan: ImportPlan, words: str
) -> None:
    with pytest.raises(ImportFileError, match=words):
        run(name, content, plan)


def test_a_missing_file_is_refused_in_words(intake: Intake, tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match="no such file"):
        import_file(tmp_path / "none.csv", RATINGS, intake, refused_to=tmp_path / "x")


def test_a_file_of_refused_rows_never_replaces_another(run: Import, tmp_path: Path) -> None:
    bad = CSV + "5,6,7,1260759144\n"

    files = [run("ratings.csv", bad).refused_file for _ in range(3)]

    assert files == [str(tmp_path / name) for name in ("refused.jsonl", "refused-2.jsonl", "refused-3.jsonl")]
    assert len({Path(file or "").read_bytes() for file in files}) == 1
    assert run("good.csv", CSV).refused_file is None


def test_every_row_has_a_verdict_whatever_is_wrong_with_it(run: Import) -> None:
    report = run("ratings.csv", CSV + CSV.partition("\n")[2] + "1,2,3\n1,2,x,1260759144\n1,2,9,1260759144\n")

    counts = report.counts
    assert (counts.accepted, counts.duplicates, counts.rejected) == (2, 2, 3)
    assert counts.codes == {"duplicate": 2, "malformed_row": 1, "invalid_field": 1, "out_of_range": 1}


@pytest.mark.parametrize(
    ("fault", "words", "code"),
    [(LogError("the disk is full"), "the disk is full", 1), (KeyboardInterrupt(), "ratings.csv: stopped", 130)],
    ids=["log", "Ctrl-C"],
)
def test_what_stops_an_import_half_way_says_how_many_rows_are_in(
    run: Import, intake: Intake, monkeypatch: pytest.MonkeyPatch, fault: BaseException, words: str, code: int
) -> None:
    rows = "".join(f"u,{n},4,1260759144\n" for n in range(6_000))
    append = intake.log.append
    calls: list[int] = []

    def second_fails(*arguments: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) > 1:
            raise fault
        return append(*arguments, **more)

    monkeypatch.setattr(intake.log, "append", second_fails)

    with pytest.raises(FileStopped, match=f"{words}; the 5,000 rows before that have their verdicts") as stopped:
        run("ratings.csv", "userId,movieId,rating,timestamp\n" + rows)
    assert stopped.value.exit_code == code


def test_refused_rows_follow_no_link_that_somebody_put_there(run: Import, tmp_path: Path) -> None:
    (tmp_path / "refused.jsonl").symlink_to(tmp_path / "nowhere" / "file")

    report = run("ratings.csv", CSV + "5,6,7,1260759144\n")

    assert report.refused_file == str(tmp_path / "refused-2.jsonl")
