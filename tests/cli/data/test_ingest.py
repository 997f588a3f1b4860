"""Exit codes and words of `heed ingest`, in one process."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.data.ingest import ingest
from feedback.errors import HeedError

HEADER = "user_id,item_id,value,occurred_at\n"
GOOD = "".join(f"u{n},i{n},4,1704164645\n" for n in range(4))
RATING = ("--kind", "rating", "--scale", "1,5")


def run(tmp_path: Path, name: str, content: str | bytes, *options: str) -> Result:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return CliRunner().invoke(ingest, [str(path), *options, "--home", str(tmp_path / "home")])


def exit_code(result: Result) -> int:
    """As `cli.main` ends."""
    return result.exception.exit_code if isinstance(result.exception, HeedError) else result.exit_code


@pytest.mark.parametrize(
    ("rows", "options", "code"),
    [(GOOD, (), 0), (GOOD + "u,i,9,1704164645\n", (), 1), (GOOD + "u,i,9,1704164645\n", ("--max-refused", "1"), 0),
     (GOOD + "u,i\n", ("--max-refused", "20%"), 0), (GOOD + "u,i\n", ("--max-refused", "10%"), 1),
     ("u,i,9,1704164645\n", (), 2), ("u,i,9,1704164645\n", ("--max-refused", "100%"), 2)],
    ids=["all in", "one out", "allowed", "share", "more than the share", "none in", "none in though allowed"],
)  # fmt: skip
def test_the_exit_code_says_whether_rows_are_missing(
    tmp_path: Path, rows: str, options: tuple[str, ...], code: int
) -> None:
    assert exit_code(run(tmp_path, "r.csv", HEADER + rows, *RATING, *options)) == code


def test_a_cut_file_ends_with_1_and_still_reports(tmp_path: Path) -> None:
    rows = "".join(f"u{n * 7919 % 9973},i{n},4,1704164645\n" for n in range(9_000))

    done = run(tmp_path, "r.csv.gz", gzip.compress((HEADER + rows).encode())[:-2_000], *RATING, "--json")

    report = json.loads(done.stdout)
    assert exit_code(done) == 1
    assert report["counts"]["accepted"] > 0
    assert "cut short in line" in report["stopped"]
    assert "sending the whole file again is safe" in str(done.exception)


def test_what_was_decided_is_told(tmp_path: Path) -> None:
    content = "event,user_id,item_id\nVIEW,u,1.0\nWARP,NULL,2.0\n"

    done = run(tmp_path, "e.csv", content, "--map", "kind=event", "--map", "user_id=user_id,item_id=item_id")

    assert exit_code(done) == 1
    told = " ".join(done.output.split())
    assert "Cells with a word for nothing, taken as empty (--keep-null-words keeps them): 1." in told
    assert "taken as whole numbers, like 42: 2." in told
    assert "Types of events that no rule names: WARP (1). Name them, like --kinds 'WARP=view'." in told


def test_a_catalogue_with_words_of_a_shop_is_taken_and_a_riddle_is_not(tmp_path: Path) -> None:
    content = "sku,name,availability\na,A,in stock\nb,B,SoldOut\nc,C,perhaps\n"

    done = run(tmp_path, "i.csv", content, "--kind", "item", "--map", "item_id=sku,title=name,available=availability")

    (refused,) = (tmp_path / "home" / "refused" / "i.csv.jsonl").read_text().splitlines()
    assert exit_code(done) == 1
    assert json.loads(refused)["field"] == "available"
