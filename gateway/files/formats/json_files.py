"""JSON files as rows: one object a line, or an array of objects, or objects one after the other; read in pieces."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from feedback.errors import ImportFileError
from gateway.files.formats.sources import (
    BYTE_ORDER_MARK,
    HEAD_BYTES,
    MAX_LINE_BYTES,
    Unreadable,
    ends_with_return_only,
    open_bytes,
    read_head,
    read_lines,
)

JsonRow = tuple[int, "bytes | Unreadable"]

_TOKENS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{},]', re.DOTALL)
_OPEN, _CLOSE = frozenset(b"[{"), frozenset(b"]}")


def read_json(path: Path) -> Iterator[JsonRow]:
    """Bytes of each record with its place: the line, or in an array the number of the event.

    Raises:
        ImportFileError: The file is one object that wraps a list, or it stops being readable.
    """
    head = read_head(path)
    first, newline, _ = head.lstrip().partition(b"\n")
    pretty = first.strip() == b"{" or (bool(newline) and ".json" in path.suffixes and _is_begun(first))
    if first[:1] == b"[" or pretty:
        yield from _Values(path).read()
    else:
        yield from _lines(path, return_only=ends_with_return_only(head))


def _is_begun(line: bytes) -> bool:
    """Whether a line begins a value that goes on in the next one: a pretty-printed object."""
    try:
        msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        return "truncated" in str(error)
    except (UnicodeDecodeError, RecursionError):
        return False
    return False


def _lines(path: Path, *, return_only: bool) -> Iterator[JsonRow]:
    lone: bytes | None = None
    for number, line in read_lines(path, return_only=return_only):
        if isinstance(line, Unreadable):
            yield number, line
        elif stripped := line.strip():
            if number == 1 and wrapped_list(stripped):
                lone = stripped  # raised only if nothing else was found
                continue
            if lone is not None:
                yield 1, lone
                lone = None
            yield number, stripped
    if lone is not None:
        raise _wraps(path, wrapped_list(lone) or "")


def wrapped_list(record: bytes) -> str | None:
    """The field of an object without `kind` that holds a list of objects, like `{"events": [{…}]}`."""
    try:
        fields: Any = msgspec.json.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(fields, dict) or "kind" in fields or "specversion" in fields:
        return None
    return next((name for name, value in fields.items() if _is_list_of_objects(value)), None)


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(member, dict) for member in value)


def _wraps(path: Path, field: str) -> ImportFileError:
    return ImportFileError(
        f"{path}: the file is one object whose field {field!r} holds the list; send the list alone, "
        f"like jq '.{field}' {path.name} > list.json"
    )


class _Values:
    """The values of a JSON text in order; an outermost array is split into its elements."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._buffer = b""
        self._at = 0
        self._start = 0
        self._stack: list[int] = []
        self._count = 0
        self._line = 1
        self._fault: str | None = None

    def read(self) -> Iterator[JsonRow]:
        """Each value with its number, from 1."""
        chunks = self._chunks()
        lone: bytes | None = None
        for chunk in chunks:
            self._buffer += chunk
            for value in self._complete():
                self._count += 1
                if self._count == 1 and not self._stack and wrapped_list(value):
                    lone = value
                    continue
                if lone is not None:
                    yield 1, lone
                    lone = None
                yield self._count, value
            self._forget()
        if lone is not None:
            raise _wraps(self._path, wrapped_list(lone) or "")
        if self._fault is None and self._stack:
            self._fault = "the JSON text is cut short or lacks a closing bracket"
        elif self._fault is None:
            self._check_between(len(self._buffer))
        if self._fault is not None:
            raise self._stopped(self._fault)

    def _chunks(self) -> Iterator[bytes]:
        try:
            with open_bytes(self._path) as file:
                first = file.read(HEAD_BYTES).removeprefix(BYTE_ORDER_MARK)
                while first:
                    yield first
                    first = file.read(HEAD_BYTES)
        except EOFError:
            self._fault = "the compressed file is cut short"
        except (OSError, zlib.error) as error:
            self._fault = f"cannot be read: {getattr(error, 'strerror', None) or error}"

    def _complete(self) -> Iterator[bytes]:
        """Values that end in the buffer."""
        while (token := _TOKENS.search(self._buffer, self._at)) is not None:
            mark = self._buffer[token.start()]
            if mark == ord('"') and token.end() - token.start() == 1:
                self._at = token.start()  # the string continues in the next piece
                return
            self._at = token.end()
            if mark in _OPEN:
                if not self._stack:
                    self._check_between(token.start())
                    self._start = token.end() if mark == ord("[") else token.start()
                self._stack.append(mark)
            elif mark == ord(",") and self._stack == [ord("[")]:
                yield self._cut(token.start(), token.end(), needed=True)
            elif mark in _CLOSE:
                yield from self._closed(mark, token.start(), token.end())
        self._at = len(self._buffer)

    def _closed(self, mark: int, start: int, end: int) -> Iterator[bytes]:
        if not self._stack:
            raise self._stopped(f"a {chr(mark)!r} closes what was never opened")
        opened = self._stack.pop()
        if not self._stack and opened == ord("["):
            last = self._cut(start, end, needed=False)
            if last:
                yield last
        elif not self._stack:
            yield self._cut(end, end, needed=True)

    def _check_between(self, end: int) -> None:
        between = self._buffer[self._start : end].strip(b" \t\r\n,")
        if between:
            raise self._stopped(f"{between[:40].decode('utf-8', 'replace')!r} stands outside of any event")

    def _cut(self, end: int, after: int, *, needed: bool) -> bytes:
        value = self._buffer[self._start : end].strip()
        self._start = after
        return value if value or not needed else b","

    def _forget(self) -> None:
        """Drop what was handed out; refuse a value that would fill the memory."""
        keep = min(self._start, self._at)
        self._line += self._buffer.count(b"\n", 0, keep)
        self._buffer = self._buffer[keep:]
        self._at -= keep
        self._start -= keep
        if len(self._buffer) > MAX_LINE_BYTES:
            raise self._stopped(f"an event may have {MAX_LINE_BYTES:,} bytes, this one has more")

    def _stopped(self, why: str) -> ImportFileError:
        return ImportFileError(
            f"{self._path}: {why}, in event {self._count + 1:,} that begins near line {self._line:,}"
        )
