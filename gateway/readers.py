"""Readers of import files: CSV, TSV, JSON lines and Parquet as batches of rows, ids kept as the text they are."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from feedback.errors import ImportFileError

BATCH_ROWS = 5_000
COMPRESSED = frozenset({".gz"})
FORMATS = {".csv": ",", ".tsv": "\t", ".dat": ",", ".txt": "\t"}
JSON_LINES = frozenset({".jsonl", ".ndjson", ".json"})

Row = tuple[int, dict[str, Any] | bytes]
"""A place in the file (line or row, from 1) and the row: cells by column, or the line as it stands."""


def read_batches(path: Path, *, separator: str | None = None, names: Sequence[str] = ()) -> Iterator[list[Row]]:
    """Rows of a file, a few thousand at a time.

    Args:
        path: The file; `.gz` is unpacked on the way.
        separator: What parts the cells of a text file; by default its ending decides.
        names: Column names of a text file without a header line.

    Raises:
        ImportFileError: The file is missing, empty, of unknown format or not readable as such.
    """
    ending = _ending(path)
    try:
        if path.is_dir():
            raise ImportFileError(f"{path}: this is a folder; name one file in it")
        if not path.is_file():
            raise ImportFileError(f"{path}: there is no such file")
        if path.stat().st_size == 0:
            raise ImportFileError(f"{path}: the file is empty")
        if ending == ".parquet":
            yield from _parquet(path)
        elif ending in JSON_LINES:
            yield from _json_lines(path)
        elif separator is not None or ending in FORMATS:
            yield from _text(path, separator or FORMATS[ending], names)
        else:
            raise ImportFileError(
                f"{path}: format {ending or 'without ending'!r} is unknown; use CSV, TSV, JSONL or Parquet"
            )
    except OSError as error:
        raise ImportFileError(f"{path}: cannot be read: {error.strerror or error}") from error


def _ending(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _open(path: Path) -> BinaryIO:
    if path.suffix.lower() in COMPRESSED:
        return cast("BinaryIO", gzip.open(path, "rb"))
    return path.open("rb")


def _text(path: Path, separator: str, names: Sequence[str]) -> Iterator[list[Row]]:
    with _open(path) as binary, io.TextIOWrapper(binary, encoding="utf-8-sig", newline="") as file:
        if len(separator) == 1:
            reader = csv.reader(file, delimiter=separator)
            rows: Iterator[tuple[int, list[str]]] = ((reader.line_num, cells) for cells in reader)
        else:
            rows = ((number, line.rstrip("\r\n").split(separator)) for number, line in enumerate(file, 1))
        try:
            header = list(names) if names else next(rows, (1, []))[1]
            if not any(header):
                raise ImportFileError(f"{path}: line 1 should name the columns, it is empty")
            yield from _batched(_named(rows, header), path)
        except UnicodeDecodeError as error:
            raise ImportFileError(f"{path}: not UTF-8 text at byte {error.start}; convert it first") from error
        except csv.Error as error:
            raise ImportFileError(f"{path}: the text cannot be taken apart: {error}") from error
        except EOFError as error:
            raise ImportFileError(f"{path}: the compressed file is cut short") from error


def _named(rows: Iterator[tuple[int, list[str]]], header: list[str]) -> Iterator[Row]:
    for number, cells in rows:
        if cells:
            yield number, dict(zip(header, cells, strict=False))


def _json_lines(path: Path) -> Iterator[list[Row]]:
    with _open(path) as file:
        lines = ((number, line.strip()) for number, line in enumerate(file, 1))
        yield from _batched(((number, line) for number, line in lines if line), path)


def _parquet(path: Path) -> Iterator[list[Row]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        rows = (row for batch in file.iter_batches(BATCH_ROWS) for row in batch.to_pylist())
        yield from _batched(enumerate(rows, 1), path)
    except pa.ArrowException as error:
        raise ImportFileError(f"{path}: not a readable Parquet file: {error}") from error


def _batched(rows: Iterator[Any], path: Path) -> Iterator[list[Row]]:
    batch: list[Row] = []
    empty = True
    for row in rows:
        batch.append(row)
        empty = False
        if len(batch) == BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch
    if empty:
        raise ImportFileError(f"{path}: there are no rows in it")


def decode_row(row: dict[str, Any] | bytes) -> dict[str, Any] | bytes:
    """A JSON line as its fields, where it is an object; otherwise as it stands, for admission to refuse."""
    if isinstance(row, dict):
        return row
    try:
        fields = msgspec.json.decode(row)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return row
    return fields if isinstance(fields, dict) else row
