"""Text tables (CSV, TSV, long separators) as rows: each line becomes a row or is refused with its number.

A quoted cell may span lines. If it never closes, only the line in which it opens is refused, and reading goes on with
the next line.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from feedback.errors import Code, ImportFileError
from gateway.files.formats.sources import (
    MAX_LINE_BYTES,
    Unreadable,
    ends_with_return_only,
    not_utf8,
    read_head,
    read_lines,
)

Record = tuple[int, "list[str] | Unreadable"]

MAX_RECORD_LINES = 2_000
"""A quoted cell that spans more lines than this was left open."""
MAX_RECORD_CHARACTERS = 2 * 1024 * 1024
_OTHER_SEPARATORS = {";": "';'", "\t": r"'\t'", "|": "'|'", "::": "'::'", ",": "','"}

csv.field_size_limit(MAX_LINE_BYTES)


def read_table(path: Path, separator: str, names: Sequence[str]) -> Iterator[tuple[int, dict[str, Any] | Unreadable]]:
    """Rows of a text table with the number of the line in which each begins.

    Raises:
        ImportFileError: The header cannot be used, or the file stops being readable.
    """
    return_only = ends_with_return_only(read_head(path))
    lines = _Lines(read_lines(path, return_only=return_only))
    records = lines.records(separator)
    header = list(names) or _header(path, next(records, (1, [])), separator)
    check_names(path, header)
    while len(header) > 1 and not header[-1].strip():
        header.pop()  # empty cells behind the last name
    lines.width = len(header)
    for number, cells in records:
        if isinstance(cells, Unreadable):
            yield number, cells
        elif len(cells) == len(header):
            yield number, dict(zip(header, cells, strict=True))
        elif cells:
            yield number, _fitted(cells, header, number, separator)


def _header(path: Path, record: Record, separator: str) -> list[str]:
    _, cells = record
    if isinstance(cells, Unreadable):
        raise ImportFileError(f"{path}: the line of column names cannot be read: {cells.detail}")
    if not any(cells):
        raise ImportFileError(f"{path}: line 1 should name the columns, it is empty")
    if cells[0].lower().startswith("sep="):
        raise ImportFileError(f"{path}: line 1, {cells[0]!r}, is a hint for a spreadsheet; take it out")
    if len(cells) == 1:
        for other, written in _OTHER_SEPARATORS.items():
            if other != separator and other in cells[0]:
                raise ImportFileError(
                    f"{path}: line 1 is one column for the separator {separator!r}; give --separator {written}, "
                    "or see what --dry-run proposes"
                )
    return cells


def check_names(path: Path, names: Sequence[str]) -> None:
    """Refuse a table of which two columns have one name; one of them would be lost.

    Raises:
        ImportFileError: Two columns have one name.
    """
    for place, name in enumerate(names):
        if name and name in names[:place]:
            first = names.index(name) + 1
            raise ImportFileError(
                f"{path}: columns {first} and {place + 1} are both named {name!r}; give each its own name, "
                "in the file or with --columns"
            )


def _fitted(cells: list[str], header: Sequence[str], number: int, separator: str) -> dict[str, Any] | Unreadable:
    """A row of another width: empty cells too many are dropped, anything else is refused."""
    width = len(header)
    if len(cells) > width and not any(cells[width:]):
        return dict(zip(header, cells, strict=False))
    if not any(cell.strip() for cell in cells):
        return {}
    hint = (
        "quote a cell that holds the separator" if len(cells) > width else "the line may be broken or its end missing"
    )
    detail = f"line {number:,} has {len(cells)} cells, {width} columns are named; {hint}"
    return Unreadable(Code.MALFORMED_ROW, detail, separator.join(cells)[:10_000])


class _Lines:
    """Lines on their way into records; those of the record at hand are kept, so that they can be read again."""

    def __init__(self, lines: Iterator[tuple[int, bytes | Unreadable]]) -> None:
        self._lines = lines
        self._again: deque[tuple[int, str | Unreadable]] = deque()
        self._held: list[tuple[int, str]] = []
        self._size = 0
        self._refused: tuple[int, Unreadable] | None = None
        self._read_again_to = 0
        self.width = 0

    def records(self, separator: str) -> Iterator[Record]:
        """Records of the table, each with the number of its first line."""
        return self._split(separator) if len(separator) > 1 else self._plain_or_quoted(separator)

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        """The next line for the record at hand."""
        if self._size > MAX_RECORD_CHARACTERS or len(self._held) > MAX_RECORD_LINES:
            raise csv.Error("the cell spans too many lines")
        number, text = self._again.popleft() if self._again else _decoded(*next(self._lines))
        if isinstance(text, Unreadable):
            self._refused = number, text
            raise csv.Error(text.detail)
        self._held.append((number, text))
        self._size += len(text)
        return text

    def _begin(self) -> None:
        self._held.clear()
        self._size = 0

    def _quoted(self, separator: str) -> Iterator[Record]:
        reader = csv.reader(self, delimiter=separator, strict=True)
        while True:
            self._begin()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield from self._give_up(str(error))
                continue
            if len(self._held) > 1 and self._swallowed(separator):
                yield from self._give_up("a quoted cell opens here and runs over whole rows")
            elif self._is_remainder(cells):
                yield from self._give_up("it follows a quoted cell that does not close, and holds a quote of its own")
            elif cells:
                yield self._held[0][0], cells

    def _swallowed(self, separator: str) -> bool:
        """Whether a cell over several lines contains a line that is a complete row.

        Prose has a space after its commas, a row has none; with two columns the two cannot be told apart. Where the
        long cell is the first of the record, its last line has as many cells as a row.
        """
        if self.width < 3:
            return False
        opened = len(next(csv.reader([self._held[0][1]], delimiter=separator), [])) - 1
        for _, text in self._held[1:] if opened else self._held[1:-1]:
            if text.count(separator) < self.width - 1:
                continue
            try:
                cells = next(csv.reader([text], delimiter=separator, strict=True), [])
            except csv.Error:
                cells = text.rstrip("\r\n").split(separator)
            if len(cells) == self.width and not any(cell[:1] == " " for cell in cells):
                return True
        return False

    def _is_remainder(self, cells: Sequence[str]) -> bool:
        """Whether a record may be the rest of one that was refused: read again, over lines, with a quote left in it."""
        is_read_again = self._held[0][0] <= self._read_again_to
        return is_read_again and len(self._held) > 1 and any('"' in cell for cell in cells)

    def _give_up(self, why: str) -> Iterator[Record]:
        """Refuse the first line of the record at hand and read the others again; then the line that broke it."""
        refused, self._refused = self._refused, None
        if not self._held:
            if refused is not None:
                yield refused
            return
        number, text = self._held[0]
        self._read_again_to = max(self._read_again_to, self._held[-1][0])
        if refused is not None:
            self._again.appendleft(refused)
            why = f"a quoted cell opens here and runs into line {refused[0]:,}, which cannot be read"
        self._again.extendleft(reversed(self._held[1:]))
        yield number, _broken(number, text, why)

    def _plain_or_quoted(self, separator: str) -> Iterator[Record]:
        """Lines without a quote are taken apart at once, the others with the rules of quoting.

        Between tabs a quote is a plain character, unless the line is a row only if it is more.
        """
        quoted = self._quoted(separator)
        tabs = separator == "\t"
        while True:
            self._begin()
            try:
                text = next(self)
            except StopIteration:
                return
            except csv.Error as error:
                yield from self._give_up(str(error))
                continue
            line = text.rstrip("\r\n")
            cells = line.split(separator)
            if '"' not in line and "\r" not in line:
                if line:
                    yield self._held[0][0], cells
            elif tabs and (len(cells) == self.width or not self.width):
                yield from self._between_tabs(cells, quoted)
            else:
                self._again.appendleft(self._held[0])
                yield from _first(quoted)

    def _between_tabs(self, cells: list[str], quoted: Iterator[Record]) -> Iterator[Record]:
        """A line of the right width: its last cell may be quoted and go on in the next line, if that makes a row."""
        number, plain = self._held[0][0], [_unquoted(cell) for cell in cells]
        if not self.width or plain[-1][:1] != '"':
            yield number, plain
            return
        self._again.appendleft(self._held[0])
        for _, record in _first(quoted):
            if isinstance(record, Unreadable):  # its other lines are already being read again
                yield number, plain
            elif len(record) == self.width:
                yield number, record
            else:
                self._again.extendleft(reversed(self._held[1:]))
                yield number, plain

    def _split(self, separator: str) -> Iterator[Record]:
        while True:
            self._begin()
            try:
                text = next(self).rstrip("\r\n")
            except StopIteration:
                return
            except csv.Error as error:
                yield from self._give_up(str(error))
                continue
            if text:
                yield self._held[0][0], text.split(separator)


def _decoded(number: int, line: bytes | Unreadable) -> tuple[int, str | Unreadable]:
    if isinstance(line, Unreadable):
        return number, line
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        return number, not_utf8(line, error, number)
    if "\0" in text:
        detail = f"line {number:,}, byte {line.index(0) + 1:,} is a NUL byte; no text holds one"
        return number, Unreadable(Code.MALFORMED_ROW, detail, text.rstrip("\r\n")[:10_000])
    return number, text


def _first(records: Iterator[Record]) -> Iterator[Record]:
    for record in records:
        yield record
        return


def _unquoted(cell: str) -> str:
    """A cell without the quotes around it, where it is quoted as a whole."""
    if len(cell) < 2 or cell[0] != '"' or cell[-1] != '"':
        return cell
    inner = cell[1:-1]
    return inner.replace('""', '"') if '"' not in inner.replace('""', "") else cell


def _broken(number: int, text: str, why: str) -> Unreadable:
    if "unexpected end of data" in why or "too many lines" in why:
        why = "a quoted cell opens here and does not close"
    elif "expected after" in why:
        why = "a quoted cell goes on after its closing quote; write a quote inside a cell twice, or quote no cell"
    elif "new-line character" in why:
        why = "a carriage return stands inside the line"
    return Unreadable(Code.MALFORMED_ROW, f"line {number:,}: {why}", text.rstrip("\r\n")[:10_000])
