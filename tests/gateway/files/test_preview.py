from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from cli.data.ingest import ingest
from feedback.errors import ImportFileError
from feedback.settings.home import Settings
from feedback.settings.source import ROOT
from gateway.files.columns import ImportPlan
from gateway.files.preview import Preview, preview_file

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DATA = ROOT.parent / "shared" / "data"
Look = Callable[..., Preview]


@pytest.fixture
def look(settings: Settings, tmp_path: Path) -> Look:
    def look(name: str, content: str | bytes, plan: ImportPlan | None = None) -> Preview:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return preview_file(path, plan or ImportPlan(), settings.admission, now=NOW)

    return look


def options_of(preview: Preview) -> list[str]:
    return shlex.split(preview.command or "")[3:]


RATINGS = "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n1,32,5.0,1260759145\n2,31,0.5,1260759146\n"


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("r.csv", RATINGS, "--kind rating --scale 0.5,5 "
         "--map user_id=userId,item_id=movieId,value=rating,occurred_at=timestamp"),
        ("r.dat", "1::0068646::10::1381620027\n1::0113277::0::1379466669\n", "--kind rating --scale 0,10 "
         "--separator :: --columns user_id,item_id,value,occurred_at"),
        ("u.data", "196\t242\t3\t881250949\n186\t302\t5\t891717742\n22\t242\t1\t878887116\n",
         r"--kind rating --scale 1,5 --separator '\t' --columns user_id,item_id,value,occurred_at"),
        ("m.dat", "1::Seven, The::Crime|Thriller\n2::Up::Family\n", "--kind item --separator :: "
         "--columns item_id,title,categories"),
        ("r.csv", RATINGS.replace(",", ";"), "--kind rating --scale 0.5,5 --separator ';' "
         "--map user_id=userId,item_id=movieId,value=rating,occurred_at=timestamp"),
        ("reviews.jsonl", json.dumps({"reviewerID": "A", "asin": "B", "overall": 5.0, "reviewText": "Fine by me",
         "summary": "good one", "unixReviewTime": 1393545600}), "--kind review --scale 1,5 --map user_id=reviewerID,"
         "item_id=asin,value=overall,occurred_at=unixReviewTime,text=reviewText,title=summary"),
        ("i.csv", "timestamp,eventType,contentId,personId\n1465413032,VIEW,1,2\n1465413033,COMMENT CREATED,1,3\n",
         "--map user_id=personId,item_id=contentId,kind=eventType,occurred_at=timestamp"),
        ("orders.csv", "customer_id,product_id,quantity,price,date\nc,p,1,9.5,20240131\n", "--kind purchase "
         "--map user_id=customer_id,item_id=product_id,occurred_at=date,price=price,quantity=quantity"),
        ("likes.csv", "user,item\nu,i\n", "--kind reaction --set reaction=like --map user_id=user,item_id=item"),
        ("s.csv", '"How likely are you to recommend us, 0 to 10?",Email\n9,a@example.org\n', "--kind survey "
         "--set metric=nps --map user_id=Email --map 'value=How likely are you to recommend us, 0 to 10?'"),
        ("us.csv", "user,item,stars,date\nu,i,4,2/24/2015 11:35\n", "--kind rating --scale 1,5 "
         "--map user_id=user,item_id=item,value=stars,occurred_at=date --time-format '%m/%d/%Y %H:%M'"),
        ("shop.csv", "sku,name,category,availability\na,Mug,Cups/Blue,in stock\n", "--kind item --list-separator / "
         "--map item_id=sku,title=name,categories=category,available=availability"),
        ("e.json", '[{"kind": "rating", "user_id": "u", "item_id": "i", "value": 4, "scale": [1, 5]}]', ""),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 14 else "",
)  # fmt: skip
def test_a_map_is_proposed_from_names_and_values(look: Look, name: str, content: str, options: str) -> None:
    preview = look(name, content)

    assert sorted(options_of(preview)) == sorted(shlex.split(options))
    assert preview.accepted == preview.rows > 0


@pytest.mark.parametrize(
    ("content", "missing", "doubts"),
    [
        ("date,content\n2024-01-01,Nice one\n", ["a person", "an item"], []),
        ("customer_id,date\nc,2024-01-01\n", ["an item"], []),
        ("order_id,product_id,price\no,p,5\n", ["a person"], ["join the two by order_id"]),
        ("movieId,imdbId\n1,2\n", ["a title or a person"], []),
    ],
    ids=["texts", "people", "order lines", "links"],
)
def test_what_is_missing_is_said_plainly(look: Look, content: str, missing: list[str], doubts: list[str]) -> None:
    preview = look("x.csv", content)

    assert preview.command is None
    assert [told.partition(" (")[0] for told in preview.missing] == missing
    assert all(any(doubt in told for told in preview.doubts) for doubt in doubts)


def test_what_the_file_does_not_say_is_a_doubt(look: Look) -> None:
    preview = look("usage.csv", "user,item,time\nu,i,03/04/2015\nu,i,05/06/2015\n")

    assert preview.kind == "click"
    assert any("a click is assumed" in doubt for doubt in preview.doubts)
    assert any("%m/%d/%Y or %d/%m/%Y" in doubt for doubt in preview.doubts)
    assert look("p.csv", "product_id,category\np,c\n").doubts == [
        "no column is a title: the item's id is taken for one"
    ]


def test_options_that_are_given_are_kept(look: Look) -> None:
    given = ImportPlan(kind="click", columns={"user_id": "userId", "item_id": "nowhere"}, source="shop")

    preview = look("r.csv", RATINGS, given)

    assert preview.kind == "click"
    assert "there is no column 'nowhere' (for item_id)" in preview.doubts
    assert options_of(preview) == ["--kind", "click", "--map",
                                   "user_id=userId,item_id=movieId,occurred_at=timestamp",
                                   "--source", "shop"]  # fmt: skip


def test_rows_are_shown_as_they_would_be_understood(look: Look) -> None:
    preview = look("r.csv", RATINGS + "1,31,2.5,1260759144\n1,33,9,5\nNULL,31,4,1260759144\n1,2\n")

    first = preview.first[0]
    assert (first.row, first.kind, first.person, first.item) == (2, "rating", "1", "31")
    assert first.value == "2.5 of 0 to 10"
    assert first.time == "Mon 14 Dec 2009, 02:52:24 UTC"
    assert (preview.rows, preview.accepted, preview.duplicates, preview.rejected) == (7, 3, 1, 3)
    assert {(r.code, r.field, r.first_row) for r in preview.refusals} == {
        ("bad_time", "occurred_at", 6), ("no_subject", "user_id", 7), ("malformed_row", None, 8),
    }  # fmt: skip
    assert [(note.note, note.count) for note in preview.notes] == [("null_word", 1)]


def test_a_dry_run_of_a_long_file_says_where_it_ends(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.files.preview.PREVIEW_ROWS", 5_000)

    preview = look("r.csv", RATINGS + "3,4,5,1260759144\n" * 6_000)

    assert (preview.rows, preview.whole) == (5_000, False)


def test_types_of_events_that_no_rule_names_are_counted(look: Look) -> None:
    preview = look("e.csv", "event,user_id,item_id\nVIEW,u,i\nWARP,u,i\n")

    assert preview.unknown_kinds == {"WARP": 1}
    assert [(refusal.code, refusal.rows) for refusal in preview.refusals] == [("unknown_kind", 1)]


def test_a_file_that_cannot_be_read_is_refused_in_words(look: Look) -> None:
    with pytest.raises(ImportFileError, match="both named 'value'"):
        look("r.csv", "user_id,value,value\nu,1,2\n")


def test_rows_that_cannot_be_read_are_counted(look: Look) -> None:
    preview = look("e.jsonl", '{"kind": rating}\n17\n')

    assert (preview.command, preview.missing) == (None, [])
    assert {(refusal.code, refusal.rows) for refusal in preview.refusals} == {("not_json", 1), ("not_an_object", 1)}


def test_parquet_is_looked_at_too(look: Look, tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"user": [1.0], "item": [2], "rating": [3], "ts": pa.array([NOW], pa.timestamp("ns", "UTC"))}),
        tmp_path / "x.parquet",
    )

    preview = look("r.parquet", (tmp_path / "x.parquet").read_bytes())

    assert (preview.kind, preview.accepted) == ("rating", 1)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_dry_run_sends_nothing_and_touches_no_home(tmp_path: Path, *, as_json: bool) -> None:
    (tmp_path / "r.csv").write_text(RATINGS)
    home = tmp_path / "home"

    arguments = [str(tmp_path / "r.csv"), "--dry-run", "--home", str(home), *(["--json"] if as_json else [])]
    done = CliRunner().invoke(ingest, arguments)

    assert done.exit_code == 0, done.output
    assert not home.exists()
    command = json.loads(done.stdout)["command"] if as_json else done.stdout.strip().splitlines()[-1].strip()
    assert command.startswith("heed ingest")
    pasted = CliRunner().invoke(ingest, [*shlex.split(command)[2:], "--home", str(home), "--json"])
    assert json.loads(pasted.stdout)["counts"]["accepted"] == 3


SETS = {
    "ml-latest-small/ratings.csv.gz": (100_004, "rating"),
    "movietweetings-100k/ratings.dat.gz": (100_000, "rating"),
    "deskdrop/users_interactions.csv.gz": (72_301, None),
    "ms-store-usage/usage.csv.gz": (11_678, "click"),
    "ms-store-usage/catalog.csv": (101, "item"),
    "amazon-musical-instruments/reviews.jsonl.gz": (10_261, "review"),
    "sfo-survey-2017/survey.csv.gz": (2_746, "survey"),
}


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="no data sets beside the project")
@pytest.mark.parametrize("name", SETS)
def test_the_map_that_is_proposed_for_a_known_set_works(name: str, settings: Settings) -> None:
    preview = preview_file(DATA / name, ImportPlan(), settings.admission, now=NOW)

    assert (preview.accepted, preview.kind) == SETS[name]
