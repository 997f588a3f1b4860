"""Profile the columns of a file from its first rows: numbers and their range, times, words, repeats."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.files.cells import NOTHING_IN_NUMBERS
from gateway.files.times import NoTime, time_of

MAX_DISTINCT = 2_000
MAX_KEY_CHARACTERS = 200
MAX_TIMES = 200
"""Cells of a column that are tried as times."""

TIME_FORMS = (
    "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y",
    "%d/%m/%y", "%m %d, %Y", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%B %d, %Y",
    "%a %b %d %H:%M:%S %z %Y", "%Y-%m-%d %H-%M-%S",
)  # fmt: skip


@dataclass(slots=True)
class Profile:
    """One column: how many cells are filled, their distinct values (up to a bound), and the range of its numbers."""

    name: str
    filled: int = 0
    numbers: int = 0
    low: float = math.inf
    high: float = -math.inf
    fractions: int = 0
    spaced: int = 0
    lists: int = 0
    doubled: bool = False
    values: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)
    cells: list[Any] = field(default_factory=list)

    def add(self, cell: Any) -> None:  # noqa: ANN401 - a cell is what the file holds
        """Look at one more cell."""
        if cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell)):
            return
        if isinstance(cell, list | dict):
            self.filled += 1
            self.lists += 1
            return
        text = str(cell)
        if text.strip().lower() in NOTHING_IN_NUMBERS:
            return
        self.filled += 1
        if len(self.cells) < MAX_TIMES:
            self.cells.append(cell)
        if len(self.samples) < 3 and text not in self.samples:
            self.samples.append(text[:60])
        self._count(text)
        if isinstance(cell, bool | datetime):
            return
        try:
            number = float(text)
        except ValueError:
            self.spaced += " " in text.strip()
            return
        if math.isfinite(number):
            self.numbers += 1
            self.low, self.high = min(self.low, number), max(self.high, number)
            self.fractions += not number.is_integer()

    def _count(self, text: str) -> None:
        text = text[:MAX_KEY_CHARACTERS]
        if text in self.values:
            self.values[text] += 1
            self.doubled = True
        elif len(self.values) < MAX_DISTINCT:
            self.values[text] = 1

    @property
    def is_number(self) -> bool:
        """Whether nearly every cell is a number."""
        return self.filled > 0 and self.numbers >= 0.95 * self.filled

    @property
    def is_prose(self) -> bool:
        """Whether many cells are several words."""
        return self.filled > 0 and self.spaced >= 0.2 * self.filled

    def is_time(self, form: str | None = None) -> bool:
        """Whether most cells looked at are times, and nearly all where they must be written in one form."""
        good = sum(_is_time(cell, form) for cell in self.cells)
        return bool(self.cells) and good >= (0.5 if form is None else 0.95) * len(self.cells)

    def time_forms(self) -> list[str]:
        """The forms other than ISO in which its times may be written; several where they cannot be told apart."""
        return [form for form in TIME_FORMS if self.is_time(form)]


def _is_time(cell: object, form: str | None) -> bool:
    try:
        time_of(cell, form=form)
    except NoTime:
        return False
    return True


def add_rows(profiles: dict[str, Profile], rows: Iterable[Mapping[str, Any]]) -> None:
    """Look at more rows, adding profiles of columns that are new."""
    for row in rows:
        for name, cell in row.items():
            profile = profiles.get(name)
            if profile is None:
                profile = profiles[name] = Profile(name)
            profile.add(cell)
