"""Convert cells of a file to values of the contract's fields: ids, numbers, times, lists, text and availability.

A converter returns None for an empty cell and raises `CellFault` for one that it cannot read; it never guesses. Its
assumptions are counted in `Notes`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from feedback.contract import Context
from feedback.errors import Code
from feedback.fields.raw_ids import PLACEHOLDER_WORDS
from gateway.files.availability import availability_of
from gateway.files.field_types import IDS, LISTS, NUMBERS, OBJECTS, TIMES, WHOLE
from gateway.files.times import NoTime, time_of

CONTEXT = frozenset(Context.__struct_fields__)
PROSE = frozenset({"text", "title", "description", "query", "reason", "kind"})
"""Free-text fields, in which a word like None may be meant."""

NOTHING = frozenset({"", *PLACEHOLDER_WORDS})
"""Words that programs write where there is nothing, in small letters."""
NOTHING_IN_NUMBERS = NOTHING | {"na", "-", "--", "."}

_FIRST_SIGNS = frozenset("".join(word[:1] + word[:1].upper() for word in NOTHING_IN_NUMBERS) + " \t")
"""First characters of words for an empty cell: most cells are ruled out by them."""

MAX_CELL_CHARACTERS = 100_000
"""The longest text that the contract takes."""
_EXACT_FLOAT = 2**53
"""Above this a float no longer holds every whole number."""


class Note(StrEnum):
    """Assumptions of the importer, counted for the report."""

    NULL_WORD = "null_word"
    FLOAT_ID = "float_id"
    KIND_RULE = "kind_rule"
    NO_WORDS = "no_words"
    BLANK_ROW = "blank_row"


NOTE_WORDS = {
    Note.NULL_WORD: "cells with a word for nothing, taken as empty (--keep-null-words keeps them)",
    Note.FLOAT_ID: "ids written as floats, like 42.0, taken as whole numbers, like 42",
    Note.KIND_RULE: "rows whose kind is taken from their type of event",
    Note.NO_WORDS: "reviews without words taken as ratings, and comments without words as clicks",
    Note.BLANK_ROW: "rows of empty cells only, left out",
}

Notes = Counter[str]
Converter = Callable[[Any], Any]


class CellFault(ValueError):
    """Raised when a cell cannot be understood as its field."""

    def __init__(self, detail: str, code: Code = Code.INVALID_FIELD) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(slots=True)
class Cells:
    """The converters of one import.

    Attributes:
        list_separator: Separates the members of a list in one cell.
        time_form: How text times are written, for `strptime`; None for ISO.
        keep_null_words: Take words like NULL as they are.
        float_ids: Fields whose text ids are floats in every row looked at, like `42.0`.
        notes: How often something was decided.
    """

    list_separator: str = "|"
    time_form: str | None = None
    keep_null_words: bool = False
    float_ids: frozenset[str] = frozenset()
    notes: Notes = field(default_factory=Counter)

    def converter(self, name: str) -> Converter:
        """The function that understands cells of a field."""
        if name in IDS:
            return self.id_in_float_column if name in self.float_ids else self.id
        if name in NUMBERS:
            return self.whole_number if name in WHOLE else self.number
        if name in TIMES:
            return self.time
        if name in LISTS:
            return self.list
        if name == "available":
            return self.available
        if name == "scale":
            return self.scale
        if name in OBJECTS:
            return lambda raw: raw
        return self.prose if name in PROSE else self.word

    def stating(self, name: str) -> Converter:
        """The function for a field of a JSON event: what the contract takes as it is stays as it is."""
        if name in TIMES:
            return self.stated_time
        if name in LISTS:
            return self.stated_list
        if name in IDS | NUMBERS | OBJECTS or name in ("available", "scale"):
            return self.converter(name)
        return self.stated_text

    def _nothing(self, text: str, words: frozenset[str] = NOTHING) -> bool:
        """Whether the text stands for nothing; a word for it is counted."""
        if not text or text.isspace():
            return True
        if text[0] not in _FIRST_SIGNS or len(text) > 20 or self.keep_null_words or text.strip().lower() not in words:
            return False
        self.notes[Note.NULL_WORD] += 1
        return True

    def id(self, raw: Any) -> Any:  # noqa: ANN401 - a cell is what the file holds
        """An id as text, byte for byte; a float that is a whole number loses its `.0`."""
        if type(raw) is int:
            return str(raw)
        if isinstance(raw, str):
            return None if self._nothing(raw) else raw
        if isinstance(raw, bool):
            raise CellFault(f"{str(raw).lower()} is no id")
        return self._text_of(raw)

    def id_in_float_column(self, raw: Any) -> Any:  # noqa: ANN401
        """An id of a column in which every id looks like `42.0`: the whole number's text."""
        if isinstance(raw, str) and raw.endswith(".0") and raw[:-2].lstrip("-").isdigit():
            self.notes[Note.FLOAT_ID] += 1
            return raw[:-2]
        return self.id(raw)

    def word(self, raw: Any) -> Any:  # noqa: ANN401
        """A short text, like a country or a channel; words for nothing are empty."""
        if isinstance(raw, str):
            return None if self._nothing(raw) else raw
        return self._text_of(raw)

    def prose(self, raw: Any) -> Any:  # noqa: ANN401
        """Free text: only a blank cell is empty."""
        if isinstance(raw, str):
            if len(raw) > MAX_CELL_CHARACTERS:
                detail = f"the cell has {len(raw):,} characters, a text may have {MAX_CELL_CHARACTERS:,}"
                raise CellFault(detail, Code.TOO_LARGE)
            return None if not raw or raw.isspace() else raw
        return self._text_of(raw)

    def _text_of(self, raw: Any) -> Any:  # noqa: ANN401
        if isinstance(raw, float):
            if math.isnan(raw):
                return None
            if not raw.is_integer() or abs(raw) >= _EXACT_FLOAT:
                raise CellFault(f"{raw!r} is a float and cannot name anything for certain; export the column as text")
            self.notes[Note.FLOAT_ID] += 1
            return str(int(raw))
        if isinstance(raw, bytes):
            try:
                return raw.decode()
            except UnicodeDecodeError as error:
                raise CellFault("the cell holds bytes that are no UTF-8 text") from error
        return str(raw) if isinstance(raw, int | Decimal | date) and not isinstance(raw, bool) else raw

    def number(self, raw: Any) -> Any:  # noqa: ANN401
        """A number; text is understood with a decimal point only."""
        if isinstance(raw, str):
            if self._nothing(raw, NOTHING_IN_NUMBERS):
                return None
            raw = _number_in(raw)
        elif isinstance(raw, Decimal):
            raw = float(raw)
        if isinstance(raw, float) and not math.isfinite(raw):
            if math.isnan(raw):
                return None
            raise CellFault("an infinite number cannot be taken", Code.OUT_OF_RANGE)
        return raw

    def whole_number(self, raw: Any) -> Any:  # noqa: ANN401
        """A whole number; `3.0` is 3."""
        number = self.number(raw)
        return int(number) if isinstance(number, float) and number.is_integer() else number

    def time(self, raw: Any) -> Any:  # noqa: ANN401
        """A moment in UTC."""
        if isinstance(raw, str):
            if self._nothing(raw):
                return None
        elif isinstance(raw, float) and math.isnan(raw):
            return None
        try:
            return time_of(raw, form=self.time_form)
        except NoTime as error:
            raise CellFault(str(error), Code.BAD_TIME) from error

    def stated_time(self, raw: Any) -> Any:  # noqa: ANN401
        """A moment in UTC; what the contract takes as it is means what it means there."""
        if isinstance(raw, str):
            try:
                moment = msgspec.convert(raw, datetime)
            except msgspec.ValidationError:
                return self.time(raw)
            if moment.tzinfo is not None:
                return moment
        return self.time(raw)

    def stated_text(self, raw: Any) -> Any:  # noqa: ANN401
        """A text that an event states: byte for byte, blank or not."""
        return raw if isinstance(raw, str) else self._text_of(raw)

    def stated_list(self, raw: Any) -> Any:  # noqa: ANN401
        """A list that an event states, member for member; text is split at the separator."""
        return self.list(raw) if isinstance(raw, str) else raw

    def list(self, raw: Any) -> Any:  # noqa: ANN401
        """A list; text is split at the separator; empty members are left out."""
        if isinstance(raw, str):
            if self._nothing(raw):
                return None
            return [part.strip() for part in raw.split(self.list_separator) if part.strip()] or None
        if isinstance(raw, tuple | list):
            return [self._text_of(member) for member in raw if member not in (None, "")]
        return raw

    def scale(self, raw: Any) -> Any:  # noqa: ANN401
        """Lowest and highest possible value; as text like `1,5`, `1|5` or `[1, 5]`."""
        if not isinstance(raw, str):
            return raw
        if self._nothing(raw):
            return None
        return [_number_in(part) for part in raw.strip(" []()").replace(self.list_separator, ",").split(",")]

    def available(self, raw: Any) -> bool | None:  # noqa: ANN401
        """Whether an item is available, in the usual words or as a number in stock."""
        if isinstance(raw, float) and math.isnan(raw):
            return None
        if isinstance(raw, str) and self._nothing(raw, NOTHING_IN_NUMBERS):
            return None
        answer = availability_of(raw)
        if answer is None:
            raise CellFault(f"{str(raw)[:40]!r} does not say whether it is available; write true or false, or in stock")
        return answer


def _number_in(text: str) -> float | int:
    try:
        value = float(text)
    except ValueError as error:
        hint = "; write a decimal point, and no signs between thousands" if "," in text else ""
        raise CellFault(f"{text[:40]!r} is no number{hint}") from error
    if "_" in text:
        raise CellFault(f"{text[:40]!r} is no number")
    return int(value) if value.is_integer() and "." not in text and "e" not in text.lower() else value
