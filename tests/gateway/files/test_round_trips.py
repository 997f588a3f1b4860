"""Whatever a writer of tables or JSON writes is read back as it was, and no line is dropped without a report."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gateway.files.formats.json_files import read_json
from gateway.files.formats.readers import read_batches
from gateway.files.formats.sources import Unreadable

CELL = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\ufeff"), max_size=12)
TABLE = st.integers(2, 5).flatmap(
    lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=8)
)
LINE = st.text(alphabet='ab",; \n', max_size=30)


@contextmanager
def written(name: str, content: str) -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(content, encoding="utf-8", newline="")
        yield path


@settings(deadline=None, max_examples=300)
@given(rows=TABLE, separator=st.sampled_from([",", "\t", ";"]))
@example(rows=[["\n0", "", "\n"]], separator=",")
def test_a_table_is_read_back_as_it_was_written(rows: list[list[str]], separator: str) -> None:
    assume(separator != "\t" or not any("\t" in cell for row in rows for cell in row))  # quotes do not protect a tab
    names = [f"c{place}" for place in range(len(rows[0]))]
    text = io.StringIO()
    csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    with written("t.csv", text.getvalue()) as path:
        read = [row for batch in read_batches(path, separator=separator) for _, row in batch]
    expected = [dict(zip(names, row, strict=True)) for row in rows]
    if any(isinstance(row, Unreadable) for row in read):  # a cell over lines that looks like whole rows is refused
        assert any("\n" in cell for row in rows for cell in row)
    else:
        assert read == expected


@settings(deadline=None, max_examples=200)
@given(lines=st.lists(LINE, min_size=1, max_size=12))
def test_every_line_of_a_broken_table_is_in_a_row_or_refused(lines: list[str]) -> None:
    content = "x,y,z\n" + "\n".join(lines) + "\n1,2,3\n"
    with written("t.csv", content) as path:
        rows = [row for batch in read_batches(path) for row in batch]
    kept = "".join("".join(row.values()) if isinstance(row, dict) else row.raw for _, row in rows if row)  # type: ignore[union-attr]
    for letter in "ab":
        assert kept.count(letter) == content.count(letter)
    places = [place for place, _ in rows]
    assert places == sorted(set(places))
    assert rows[-1][1] == {"x": "1", "y": "2", "z": "3"} or isinstance(rows[-1][1], Unreadable)


@settings(deadline=None, max_examples=200)
@given(
    values=st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
            max_leaves=6,
        ),
        min_size=2,
        max_size=6,
    ),
    indent=st.sampled_from([None, 1]),
    piece=st.integers(1, 40),
    ascii_only=st.booleans(),
)
def test_an_array_is_read_back_whatever_its_pieces(
    values: list[object], indent: int | None, piece: int, *, ascii_only: bool
) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only)
    with written("t.json", text) as path, patch("gateway.files.formats.json_files.HEAD_BYTES", piece):
        read = [json.loads(row) for _, row in read_json(path) if isinstance(row, bytes)]
    assert read == values
