"""How a text file is laid out: which separator, and whether the first line names the columns."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.files.formats.readers import FORMATS, JSON_LINES, ending_of
from gateway.files.formats.sources import read_head

SEPARATORS = ("::", "\t", ";", "|", ",")
_SAMPLE_LINES = 200
_DATUM = re.compile(r"^-?\d+([.,]\d+)?$|^\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Layout:
    """The separator of a text file (None for others), its first lines in cells, and whether the first names columns."""

    separator: str | None
    head: tuple[tuple[str, ...], ...] = ()
    named: bool = True

    @property
    def usual(self) -> bool:
        """Whether `heed ingest` needs no option to read the file so."""
        return self.separator is None


def layout_of(path: Path, separator: str | None = None) -> Layout:
    """The layout of a file, by its first lines.

    Raises:
        ImportFileError: The text is UTF-16, or the file is an archive.
    """
    ending = ending_of(path)
    if ending == ".parquet" or (ending in JSON_LINES and separator is None):
        return Layout(None)
    text = read_head(path).decode("utf-8", "replace")
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line.strip()][:_SAMPLE_LINES]
    usual = FORMATS.get(ending)
    chosen = separator or _separator(lines, usual)
    head = tuple(tuple(_cells(line, chosen)) for line in lines)
    return Layout(chosen, head, _names_columns(head))


def _cells(line: str, separator: str) -> list[str]:
    if len(separator) > 1:
        return line.split(separator)
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return line.split(separator)


def _separator(lines: Sequence[str], usual: str | None) -> str:
    """The usual one if the first line has it and most lines agree with it; else the one that most lines agree with."""
    ranked: list[tuple[float, int, str]] = []
    for candidate in SEPARATORS:
        widths = [len(_cells(line, candidate)) for line in lines]
        width = widths[0] if widths else 1
        agreed = sum(other == width for other in widths) / max(len(widths), 1)
        if width > 1:
            ranked.append((agreed, width, candidate))
            if candidate == usual and agreed >= 0.8:
                return candidate
    best = max((agreed for agreed, _, _ in ranked), default=0.0)
    return next((name for agreed, _, name in ranked if agreed >= best - 0.05), usual or ",")


def _names_columns(head: Sequence[Sequence[str]]) -> bool:
    """Names are words that do not occur again below, and not numbers."""
    if not head:
        return True
    first, rest = head[0], head[1:]
    if any(_DATUM.match(cell.strip()) for cell in first):
        return False
    for place, cell in enumerate(first):
        seen = Counter(row[place] for row in rest if place < len(row))
        if cell and seen[cell]:
            return False
    return True
