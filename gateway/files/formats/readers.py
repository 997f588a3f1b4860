"""Readers of import files: CSV, TSV, JSON and Parquet as batches of rows, ids kept as the text they are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from feedback.errors import ImportFileError
from gateway.files.formats.json_files import read_json
from gateway.files.formats.parquet_rows import read_parquet
from gateway.files.formats.sources import Unreadable
from gateway.files.formats.tables import read_table

BATCH_ROWS = 5_000
COMPRESSED = frozenset({".gz"})
FORMATS = {".csv": ",", ".tsv": "\t", ".dat": ",", ".txt": "\t"}
JSON_LINES = frozenset({".jsonl", ".ndjson", ".json"})

Row = tuple[int, "dict[str, Any] | bytes | Unreadable"]
"""A place in the file (line, row or event, from 1) and the row: cells by column, a JSON record, or why it is none."""


def read_batches(path: Path, *, separator: str | None = None, names: Sequence[str] = ()) -> Iterator[list[Row]]:
    """Rows of a file, a few thousand at a time. Rows before a fault are handed out before it is raised.

    Args:
        path: The file; `.gz` is unpacked on the way.
        separator: Separates the cells of a text file; by default its ending decides.
        names: Column names of a text file without a header line.

    Raises:
        ImportFileError: The file is missing, empty, of unknown format or not readable as such.
    """
    check_file(path)
    batch: list[Row] = []
    empty = True
    fault: ImportFileError | None = None
    try:
        for row in _rows(path, separator, names):
            batch.append(row)
            empty = False
            if len(batch) == BATCH_ROWS:
                yield batch
                batch = []
    except ImportFileError as error:
        fault = error
    except OSError as error:
        fault = ImportFileError(f"{path}: cannot be read: {error.strerror or error}")
    if batch:
        yield batch
    if fault is not None:
        raise fault
    if empty:
        raise ImportFileError(f"{path}: there are no rows in it")


def check_file(path: Path) -> None:
    """Refuse what is no file.

    Raises:
        ImportFileError: The file is missing, a folder or empty.
    """
    if path.is_dir():
        raise ImportFileError(f"{path}: this is a folder; name one file in it")
    if not path.is_file():
        raise ImportFileError(f"{path}: there is no such file")
    if path.stat().st_size == 0:
        raise ImportFileError(f"{path}: the file is empty")


def ending_of(path: Path) -> str:
    """What the file's name says of its format, like `.csv`."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _rows(path: Path, separator: str | None, names: Sequence[str]) -> Iterable[Row]:
    ending = ending_of(path)
    if ending == ".parquet":
        return read_parquet(path, BATCH_ROWS)
    if ending in JSON_LINES and separator is None:
        return read_json(path)
    if separator is not None or ending in FORMATS:
        return read_table(path, separator or FORMATS[ending], names)
    raise ImportFileError(
        f"{path}: format {ending or 'without ending'!r} is unknown; use CSV, TSV, JSONL, JSON or Parquet, "
        "or give --separator, as --dry-run proposes it"
    )


def decode_row(row: dict[str, Any] | bytes | Unreadable) -> dict[str, Any] | bytes | Unreadable:
    """A JSON record as its fields, where it is an object; otherwise as it is, for admission to refuse."""
    if not isinstance(row, bytes):
        return row
    try:
        fields = msgspec.json.decode(row)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        fields = _decoded_with_nan(row) if b"NaN" in row else None
    return fields if isinstance(fields, dict) else row


def _decoded_with_nan(row: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """A record with NaN, which some programs write for an empty value, replaced by null; None if that does not help."""
    try:
        return json.loads(row, parse_constant=_nothing_for)
    except (ValueError, RecursionError):
        return None


def _nothing_for(constant: str) -> None:
    if constant != "NaN":
        raise ValueError(constant)
