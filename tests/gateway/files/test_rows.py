from __future__ import annotations

import json

import pytest

from feedback.errors import ImportFileError
from gateway.files.columns import ImportPlan
from gateway.files.kinds import KindRule, kind_of_word
from tests.gateway.files.importing import AT, Importing

CARRIED = ImportPlan()
MICROSECONDS = 1704164645000000


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_rows_that_carry_their_kind_are_understood_like_rows_of_one_kind(importing: Importing, ending: str) -> None:
    rows = [
        {"kind": "rating", "user_id": "u1", "item_id": "i1", "value": "4", "occurred_at": "1704164645"},
        {"kind": "click", "user_id": "u1", "item_id": "i2", "value": "", "occurred_at": "2024-01-02 03:04:05"},
    ]
    table = "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]) + "\n"
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    plan = ImportPlan(scale=(1, 5), source="shop-eu", constants={"country": "DE", "reaction": "like"})

    importing.file(f"e.{ending}", table if ending == "csv" else lines, plan)

    rating, click = importing.events()
    assert (rating.value, rating.scale_min, rating.scale_max, rating.label) == (4.0, 1.0, 5.0, None)
    assert {(e.occurred_at, e.source, e.country, e.attributes) for e in (rating, click)} == {
        (MICROSECONDS, "shop-eu", "DE", None)
    }


def test_what_a_row_says_itself_goes_before_the_options(importing: Importing) -> None:
    row = {"kind": "rating", "user_id": 7, "item_id": 42.0, "value": 4, "scale": [0, 10], "source": "app",
           "context": {"country": "FR"}, "colour": "red", "occurred_at": 1704164645123}  # fmt: skip
    plan = ImportPlan(scale=(1, 5), source="shop", constants={"country": "DE", "device": "phone"})

    importing.file("e.jsonl", json.dumps(row), plan)

    (event,) = importing.events()
    assert (event.item_id, event.scale_max, event.source, event.country, event.device, event.attributes) == (
        "42", 10.0, "app", "FR", "phone", '{"colour":"red"}',
    )  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [{"country": "DE"}, {"extra": None, "other": ""}, {"occurred_at": "2024-01-02T03:04:05.123456789Z"},
     {"occurred_at": "2024-01-02T03:04:05z"}, {"kind": "share", "channel": "none"}, {"context": {"page": ""}},
     {"kind": "review", "text": " ", "title": ""}, {"kind": "item", "title": "A", "description": "", "url": ""},
     {"kind": "survey", "metric": "choice", "choices": ["", "a"]}, {"kind": "return", "reason": "", "price": 5}],
    ids=lambda more: ",".join(more),
)  # fmt: skip
def test_an_event_of_a_json_file_is_that_of_a_request_where_no_option_says_otherwise(
    importing: Importing, more: dict[str, object]
) -> None:
    row = {"kind": "click", "user_id": "u", "item_id": "i", "occurred_at": AT, **more}
    (verdict,) = importing.intake.submit([row])

    assert verdict.verdict == "accepted"
    assert importing.file("e.jsonl", json.dumps(row), CARRIED).counts.duplicates == 1


DESKDROP = "\n".join(
    ["timestamp,eventType,contentId,personId", *(f"1704164645,{word},{n},p" for n, word in enumerate(
        ["VIEW", "LIKE", "BOOKMARK", "FOLLOW", "COMMENT CREATED", "TELEPORT", "TELEPORT", "NUDGE"]))]
)  # fmt: skip
TYPES = {"kind": "eventType", "user_id": "personId", "item_id": "contentId", "occurred_at": "timestamp"}


def test_a_column_of_event_types_gives_each_row_its_kind(importing: Importing) -> None:
    report = importing.file("d.csv", DESKDROP, ImportPlan(columns=TYPES, kinds={"NUDGE": "reaction:dislike"}))

    told = [(event.item_id, event.kind, event.label) for event in importing.events()]
    assert told == [("0", "view", None), ("1", "reaction", "like"), ("2", "bookmark", None), ("3", "follow", None),
                    ("4", "click", None), ("7", "reaction", "dislike")]  # fmt: skip
    assert report.counts.codes == {"unknown_kind": 2}
    assert report.unknown_kinds == {"TELEPORT": 2}
    assert {note.note: note.count for note in report.notes} == {"kind_rule": 6, "no_words": 1}


def test_a_comment_with_its_words_is_a_message(importing: Importing) -> None:
    content = "type,user_id,item_id,text\nCOMMENT CREATED,u,i,Nice\n"

    importing.file(
        "c.csv", content, ImportPlan(columns={"kind": "type", **{n: n for n in ("user_id", "item_id", "text")}})
    )

    (event,) = importing.events()
    assert (event.kind, event.label, event.text) == ("message", "comment", "Nice")


@pytest.mark.parametrize(
    ("word", "rule"),
    [("addToCart", "add_to_cart"), ("ADD_TO_CART", "add_to_cart"), ("addtocart", "add_to_cart"), ("Page View", "view"),
     ("transaction", "purchase"), ("Product Viewed", "view"), ("thumbsUp", "reaction:like"), ("rating", "rating"),
     ("product_review", None), ("", None), ("né", None)],
)  # fmt: skip
def test_usual_types_of_events_are_known(word: str, rule: str | None) -> None:
    found = kind_of_word(word, {})

    assert (found.text if found else None) == rule
    assert kind_of_word(word, {word: "hide"}) == KindRule("hide")


@pytest.mark.parametrize(
    ("rule", "words"), [("vieww", "'vieww' is no kind"), ("view:x", "takes nothing after the colon")]
)
def test_a_rule_that_names_no_kind_is_refused(importing: Importing, rule: str, words: str) -> None:
    with pytest.raises(ImportFileError, match=words):
        importing.file("d.csv", DESKDROP, ImportPlan(columns=TYPES, kinds={"VIEW": rule}))


def test_a_review_without_words_is_the_rating_that_it_is(importing: Importing) -> None:
    content = "user_id,item_id,value,text\nu,a,5,Fine\nu,b,4,\nu,c,,\n"

    report = importing.file("r.csv", content, ImportPlan(kind="review", scale=(1, 5)))

    assert [(event.item_id, event.kind, event.value) for event in importing.events()] == [
        ("a", "review", 5.0), ("b", "rating", 4.0),
    ]  # fmt: skip
    assert report.counts.codes == {"missing_field": 1}
    assert [(note.note, note.count) for note in report.notes] == [("no_words", 1)]


def test_words_for_nothing_are_nobody(importing: Importing) -> None:
    content = "user_id,item_id,value\nNULL,i1,4\nnan,i2,nan\nu,i3,4\n"
    plan = ImportPlan(kind="rating", scale=(1, 5))

    report = importing.file("r.csv", content, plan)

    assert report.counts.codes == {"no_subject": 1, "missing_field": 1}
    assert [(note.note, note.count) for note in report.notes] == [("null_word", 3)]
    kept = ImportPlan(kind="rating", scale=(1, 5), keep_null_words=True)
    assert importing.file("k.csv", "user_id,item_id,value\nNULL,i1,4\n", kept).counts.accepted == 1


@pytest.mark.parametrize(
    ("ids", "expected"),
    [(("42.0", "7.0"), ["42", "7"]), (("42.0", "7"), ["42.0", "7"]), (("1.5", "2.0"), ["1.5", "2.0"])],
)
def test_ids_written_as_floats_are_whole_numbers_only_if_all_are(
    importing: Importing, ids: tuple[str, ...], expected: list[str]
) -> None:
    content = "user_id,item_id,value\n" + "".join(f"u,{item},4\n" for item in ids)

    importing.file("r.csv", content, ImportPlan(kind="rating", scale=(1, 5)))

    assert sorted(e.item_id or "" for e in importing.events()) == sorted(expected)


def test_a_constant_that_cannot_be_understood_is_refused_at_once(importing: Importing) -> None:
    with pytest.raises(ImportFileError, match="--set price=cheap: 'cheap' is no number"):
        importing.file("i.csv", "item_id,title\na,A\n", ImportPlan(kind="item", constants={"price": "cheap"}))


def test_fields_that_come_late_in_a_json_file_are_taken(importing: Importing) -> None:
    rows = [{"user_id": "u", "item_id": f"i{n}", "value": 4} for n in range(5_001)]
    rows[-1]["occurred_at"] = AT

    importing.file("r.jsonl", "".join(json.dumps(row) + "\n" for row in rows), ImportPlan(kind="rating", scale=(1, 5)))

    assert sum(event.occurred_at == MICROSECONDS for event in importing.events()) == 1
