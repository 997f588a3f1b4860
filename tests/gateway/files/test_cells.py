from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from feedback.errors import Code
from gateway.files.availability import availability_of
from gateway.files.cells import CellFault, Cells, Note

NAN = float("nan")


@pytest.mark.parametrize(
    "word", ["NULL", "nan", "None", "N/A", "\\N", "undefined", "null", " ", "NaT", "[object Object]"]
)
def test_a_word_for_nothing_is_nobody_and_no_number(word: str) -> None:
    cells = Cells()

    assert cells.converter("user_id")(word) is None
    assert cells.converter("value")(word) is None
    assert cells.converter("occurred_at")(word) is None
    assert cells.converter("country")(word) is None
    assert cells.notes[Note.NULL_WORD] == (0 if word == " " else 4)


def test_a_word_for_nothing_may_be_a_title_and_may_be_kept() -> None:
    assert Cells().converter("title")("None") == "None"
    assert Cells(keep_null_words=True).converter("user_id")("NULL") == "NULL"


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("user_id", " 007 ", " 007 "), ("user_id", 42, "42"), ("item_id", 42.0, "42"), ("item_id", NAN, None),
        ("item_id", Decimal("7"), "7"), ("item_id", b"a", "a"), ("order_id", 4521, "4521"), ("session_id", 5, "5"),
        ("title", 1984, "1984"), ("value", "4.50", 4.5), ("value", "4", 4), ("value", " 4 ", 4), ("value", NAN, None),
        ("value", Decimal("4.5"), 4.5), ("position", 3.0, 3), ("position", "3", 3), ("categories", "a| b|", ["a", "b"]),
        ("categories", ["a", 1], ["a", "1"]), ("attributes", {"a": 1}, {"a": 1}),
        ("scale", "1,5", [1, 5]), ("scale", "[0.5, 5]", [0.5, 5]), ("scale", "1|10", [1, 10]),
        ("scale", [1, 5], [1, 5]),
    ],
    ids=str,
)  # fmt: skip
def test_a_cell_is_understood_as_its_field(name: str, raw: object, value: object) -> None:
    assert Cells().converter(name)(raw) == value


@pytest.mark.parametrize(
    ("name", "raw", "code", "words"),
    [
        ("item_id", 7.5, Code.INVALID_FIELD, "is a float"), ("item_id", 2.0**60, Code.INVALID_FIELD, "is a float"),
        ("user_id", True, Code.INVALID_FIELD, "true is no id"), ("user_id", b"\xff", Code.INVALID_FIELD, "no UTF-8"),
        ("value", "4,5", Code.INVALID_FIELD, "decimal point"), ("value", "1_0", Code.INVALID_FIELD, "no number"),
        ("value", "inf", Code.OUT_OF_RANGE, "infinite"), ("price", "9 EUR", Code.INVALID_FIELD, "no number"),
        ("occurred_at", "soon", Code.BAD_TIME, "no time"), ("available", "perhaps", Code.INVALID_FIELD, "available"),
        ("description", "x" * 131_073, Code.TOO_LARGE, "131,073 characters"),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_a_cell_that_cannot_be_understood_is_refused_with_its_reason(
    name: str, raw: object, code: Code, words: str
) -> None:
    with pytest.raises(CellFault, match=words) as refused:
        Cells().converter(name)(raw)
    assert refused.value.code == code


def test_floats_in_place_of_ids_are_counted() -> None:
    cells = Cells(float_ids=frozenset({"item_id"}))
    convert: Any = cells.converter("item_id")

    assert [convert("42.0"), convert("-1.0"), convert("a.0"), convert(7.0)] == ["42", "-1", "a.0", "7"]
    assert cells.notes[Note.FLOAT_ID] == 3


@pytest.mark.parametrize(
    "word",
    ["in stock", "in_stock", "InStock", "IN STOCK", "In-Stock", "https://schema.org/InStock", "available", "active",
     "TRUE", "yes", "1", "5", "5.0", 3, 0.5, True, "preorder", "Pre-order", "backorder", "available for order"],
    ids=str,
)  # fmt: skip
def test_words_of_shops_for_what_can_be_had(word: object) -> None:
    assert availability_of(word) is True


@pytest.mark.parametrize(
    "word",
    ["out of stock", "OutOfStock", "http://schema.org/SoldOut", "sold out", "unavailable", "inactive", "discontinued",
     "no", "0", "-2", 0, 0.0, False],
    ids=str,
)  # fmt: skip
def test_words_of_shops_for_what_cannot_be_had(word: object) -> None:
    assert availability_of(word) is False


@pytest.mark.parametrize("word", ["perhaps", "instock soon", "", [1], "nan", NAN], ids=str)
def test_what_does_not_say_whether_it_can_be_had_is_never_false(word: object) -> None:
    assert availability_of(word) is None
