"""The bytes of an import file as lines: unpacked, without a byte-order mark, never longer than a bound."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from feedback.errors import Code, ImportFileError

MAX_LINE_BYTES = 16 * 1024 * 1024
"""A longer line, or a longer event of an array, is refused without being held in memory."""
HEAD_BYTES = 64 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_WIDE = ((b"\xff\xfe\x00\x00", "UTF-32"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that cannot be read as a row: refused by the reader, with its reason."""

    code: Code
    detail: str
    raw: str


def open_bytes(path: Path) -> BinaryIO:
    """The file's bytes, unpacked if it begins like gzip, whatever its name."""
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == _ZIP:
        raise ImportFileError(f"{path}: this is a zip archive or a spreadsheet; unpack it, or save it as CSV")
    if magic[:2] == _GZIP:
        return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", gzip.open(path, "rb")), HEAD_BYTES))
    return path.open("rb", buffering=HEAD_BYTES)


def read_head(path: Path) -> bytes:
    """The first bytes of a file, unpacked, without a byte-order mark.

    Raises:
        ImportFileError: They are UTF-16 or UTF-32.
    """
    with open_bytes(path) as file:
        try:
            head = file.read(HEAD_BYTES)
        except (EOFError, zlib.error):
            head = b""  # reading its lines raises with the place
    for mark, name in _WIDE:
        if head.startswith(mark):
            raise _wide(path, name)
    zeros = head.count(b"\0")
    if zeros >= 4 and zeros * 3 > len(head):
        raise _wide(path, "UTF-16")
    return head.removeprefix(BYTE_ORDER_MARK)


def _wide(path: Path, name: str) -> ImportFileError:
    return ImportFileError(f"{path}: the text is {name}; save it as UTF-8, like iconv -f {name} -t UTF-8")


def ends_with_return_only(head: bytes) -> bool:
    """Whether lines end with a carriage return alone, as in files of old Macs."""
    return b"\n" not in head and b"\r" in head.rstrip(b"\r")


def read_lines(path: Path, *, return_only: bool = False) -> Iterator[tuple[int, bytes | Unreadable]]:
    """Number (from 1) and bytes of each line, with its end.

    Raises:
        ImportFileError: The file stops being readable, with the line at which it does.
    """
    number = 0
    try:
        with open_bytes(path) as file:
            if file.peek(3)[:3] == BYTE_ORDER_MARK:  # type: ignore[attr-defined]
                file.read(3)
            lines = _split_at_returns(file) if return_only else iter(lambda: file.readline(MAX_LINE_BYTES), b"")
            for line in lines:
                number += 1
                if len(line) >= MAX_LINE_BYTES and line[-1:] not in b"\n\r":
                    yield number, _too_long(line, number, lines)
                else:
                    yield number, line
    except EOFError as error:
        raise ImportFileError(f"{path}: the compressed file is cut short in line {number + 1:,}") from error
    except (OSError, zlib.error) as error:
        words = getattr(error, "strerror", None) or error
        raise ImportFileError(f"{path}: cannot be read from line {number + 1:,} on: {words}") from error


def _too_long(line: bytes, number: int, lines: Iterator[bytes]) -> Unreadable:
    start = line[:200].decode("utf-8", "replace")
    size = len(line)
    while line and line[-1:] not in b"\n\r":
        line = next(lines, b"")
        size += len(line)
    detail = f"line {number:,} has {size:,} bytes, a line may have {MAX_LINE_BYTES:,}"
    return Unreadable(Code.TOO_LARGE, detail, start)


def _split_at_returns(file: BinaryIO) -> Iterator[bytes]:
    rest = b""
    while chunk := file.read(HEAD_BYTES):
        *lines, rest = (rest + chunk).split(b"\r")
        yield from (line + b"\r" for line in lines)
        if len(rest) >= MAX_LINE_BYTES:
            yield rest
            rest = b""
    if rest:
        yield rest


def not_utf8(line: bytes, error: UnicodeDecodeError, number: int) -> Unreadable:
    """The reason of a line whose bytes are no UTF-8 text."""
    detail = (
        f"line {number:,}, byte {error.start + 1:,} (0x{line[error.start]:02X}) is not UTF-8 text; it may be Latin-1: "
        "convert the file, like iconv -f WINDOWS-1252 -t UTF-8"
    )
    return Unreadable(Code.MALFORMED_ROW, detail, line.decode("latin-1").rstrip("\r\n")[:10_000])
