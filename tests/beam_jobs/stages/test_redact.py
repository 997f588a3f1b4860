"""The stage redaction: what of events and of refused lines it changes, and what it never touches."""

from __future__ import annotations

import inspect
import sys

import msgspec
import polars as pl
import pytest

from beam_jobs.batch import Batch
from beam_jobs.stages.admit import admit
from beam_jobs.stages.chain import StageChain
from beam_jobs.stages.decode import decode
from beam_jobs.stages.redact import COLUMN, Redact, redact_events
from beam_jobs.stages.registry import STAGES
from beam_jobs.stages.stage import StageContext
from feedback.settings.home import Settings, load_settings, override_settings
from lakehouse.landed.quarantine import MAX_RAW_BYTES
from lakehouse.tables.feedback import FEEDBACK_DERIVED
from tests.support.landing.lines import line, poll
from text.redaction import VERSION
from text.sensitive import ALL_TYPES, Sensitive

MAIL, CARD = "anna@example.com", "4111 1111 1111 1111"


def run(settings: Settings, *lines: bytes) -> Batch:
    """Lines as one batch through admission and the registered stages."""
    chain = StageChain(STAGES, settings)
    try:
        return chain.process(admit(decode(poll(*lines))))
    finally:
        chain.close()


def as_json(**fields: object) -> str:
    return msgspec.json.encode(fields).decode()


def test_texts_titles_and_attributes_are_redacted_and_ids_are_not(settings: Settings) -> None:
    review = line(
        kind="review",
        id="+49 171 1234567",
        item_id=MAIL,
        order_id=CARD,
        text=f"write to {MAIL}",
        payload=as_json(title=f"call +49 171 1234567, {MAIL}"),
        attributes=as_json(
            note=[f"paid by {CARD}"],
            nested={"email_id": MAIL},
            customer_id=MAIL,
            phone="4155550123",
            order_no="4155550123",
        ),
    )
    batch = run(settings, review)
    row = batch.events.row(0, named=True)
    assert row["text"] == "write to [email]"
    assert msgspec.json.decode(row["payload"]) == {"title": "call [phone], [email]"}
    assert msgspec.json.decode(row["attributes"]) == {
        "note": ["paid by [card]"],
        "nested": {"email_id": "[email]"},
        "customer_id": MAIL,
        "phone": "[phone]",
        "order_no": "4155550123",
    }
    assert (row["id"], row["item_id"], row["order_id"]) == ("+49 171 1234567", MAIL, CARD)
    assert row[COLUMN] == VERSION
    assert batch.findings == {("redact", "email"): 3, ("redact", "phone"): 2, ("redact", "card"): 1}


def test_catalogue_entries_stay_as_they_are(settings: Settings) -> None:
    payload = as_json(title=f"Shop {MAIL}", description="hotline 0800 123 4567")
    item = line(kind="item", subject=..., text=MAIL, payload=payload, attributes=as_json(contact=MAIL))
    row = run(settings, item, line(text=MAIL)).events.row(0, named=True)
    assert (row["text"], row["payload"], row["attributes"]) == (MAIL, payload, as_json(contact=MAIL))


def test_characters_escaped_in_json_hide_nothing(settings: Settings) -> None:
    written = line(attributes='{"note":"anna\\u0040example.com, 0171\\u00a01234567"}')
    assert run(settings, written).events["attributes"].to_list() == ['{"note":"[email], [phone]"}']


def test_fields_of_a_payload_that_nobody_writes_stay(settings: Settings) -> None:
    survey = line(
        kind="survey", item_id=..., label="choice", payload=as_json(survey_id=MAIL, question_id=CARD, choices=[MAIL])
    )
    row = run(settings, survey).events.row(0, named=True)
    assert msgspec.json.decode(row["payload"]) == {"survey_id": MAIL, "question_id": CARD, "choices": ["[email]"]}


@pytest.mark.parametrize("kind", ["rating", "review", "message", "search"])
def test_what_a_payload_holds_beyond_the_contract_is_redacted_as_attributes_are(settings: Settings, kind: str) -> None:
    written = {"search": {"text": "shoes"}, "rating": {"value": 4, "scale_min": 1, "scale_max": 5}}
    more: dict[str, object] = written.get(kind, {"text": "well"}) | ({"label": "chat"} if kind == "message" else {})
    later = {"author": "customer"} if kind == "message" else {}
    event = line(kind=kind, payload=as_json(**later, remark=MAIL, customer_id=CARD), **more)
    batch = run(settings, event)
    assert not batch.refused, batch.refused
    assert msgspec.json.decode(batch.events["payload"][0]) == {**later, "remark": "[email]", "customer_id": CARD}


def test_the_raw_of_refused_lines_is_redacted_by_field(settings: Settings) -> None:
    broken = line(kind="rating", id=CARD, value=9, scale_min=1, scale_max=5, text=MAIL, attributes=as_json(note=MAIL))
    item = line(kind="item", subject=..., price=-1.0, payload=as_json(title=MAIL))
    torn = b'{"id":"' + CARD.encode() + b'","subject":"0171 1234567","text":"mail ' + MAIL.encode() + b", 0171 1234567"
    batch = run(settings, broken, item, torn)
    raw = {row["log_index"]: row["raw"] for frame in batch.refused for row in frame.iter_rows(named=True)}
    assert msgspec.json.decode(raw[0]) == {
        **msgspec.json.decode(broken), "text": "[email]", "attributes": as_json(note="[email]"),
    }  # fmt: skip
    assert raw[1] == item.decode()
    assert raw[2] == f'{{"id":"{CARD}","subject":"0171 1234567","text":"mail [email], [phone]'
    assert batch.findings == {("redact", "email"): 3, ("redact", "phone"): 1}


def test_a_raw_that_was_cut_is_still_known_to_be_cut(settings: Settings) -> None:
    long = line(text="call +49 171 1234567890 " * 20_000)
    (refused,) = run(settings, long).refused
    raw = refused["raw"][0]
    assert "1234567" not in raw
    assert len(raw.encode()) >= MAX_RAW_BYTES


def test_a_record_that_is_refused_as_a_whole_is_redacted_line_by_line(settings: Settings) -> None:
    item = line(kind="item", subject=..., item_id=CARD, payload=as_json(title=MAIL))
    lines = b"\n".join([item, line(text=MAIL), line(text=f"pay {CARD}")])
    stage = Redact()
    stage.open(StageContext(settings))
    kept = stage.clean(pl.Series([lines.decode()])).lines[0].split("\n")
    assert kept[0] == item.decode()
    assert [msgspec.json.decode(one)["text"] for one in kept[1:]] == ["[email]", "pay [card]"]


@pytest.mark.parametrize("depth", [300, 600, 850])
@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]")])
def test_deeply_nested_attributes_are_redacted_or_refused(
    settings: Settings, depth: int, opening: str, closing: str
) -> None:
    document = f'{{"note":{opening * depth}"{MAIL}"{closing * depth}}}'
    batch = run(settings, line(attributes=document), line(kind="rating", value=9, attributes=document))
    landed, refused = batch.events["attributes"].to_list(), pl.concat(batch.refused)["raw"].to_list()
    assert len(landed) + len(refused) == 2
    assert MAIL not in "".join([*landed, *refused])


def test_a_document_as_deep_as_admission_can_read_is_redacted() -> None:
    depth = sys.getrecursionlimit() - len(inspect.stack()) - 8
    document = '{"a":' * depth + f'"{MAIL}"' + "}" * depth
    msgspec.json.decode(document)
    frame = pl.DataFrame(
        {"kind": ["view"], "country": [None], "text": [None], "payload": [None], "attributes": [document]},
        schema=dict.fromkeys(("kind", "country", "text", "payload", "attributes"), pl.String),
    )
    events, counts = redact_events(frame, ALL_TYPES)
    assert counts == {Sensitive.EMAIL: 1}
    assert MAIL not in events["attributes"][0]


@pytest.mark.parametrize("kind", [["review"], {"a": 1}, 5, None])
def test_a_kind_that_is_no_word_stops_nothing(settings: Settings, kind: object) -> None:
    odd = line(kind=kind, payload=as_json(title=MAIL), text=MAIL)
    (refused,) = run(settings, odd).refused
    assert MAIL not in refused["raw"][0]


def test_a_text_that_marks_make_longer_is_cut_at_the_contracts_length(settings: Settings) -> None:
    text, short = ("?key=x&" * 15_000)[:100_000], ("?key=x&" * 150)[:1000]
    long_texts = line(kind="review", text=text, payload=as_json(title=short))
    choices = line(
        kind="survey", label="choice", payload=as_json(survey_id="s", question_id="q", choices=[short, "yes"])
    )
    batch = run(settings, long_texts, line(kind="search", text=short), choices)
    assert not batch.refused
    assert batch.events["text"].str.len_chars().to_list() == [100_000, 1000, None]
    payloads = [msgspec.json.decode(one) for one in batch.events["payload"].drop_nulls()]
    assert len(payloads[0]["title"]) == 1000
    assert list(map(len, payloads[1]["choices"])) == [1000, 3]


def test_a_refused_line_stays_fit_for_a_replay_and_one_that_was_too_long_stays_so(settings: Settings) -> None:
    short = ("?key=x&" * 150)[:1000]
    (refused,) = run(settings, line(kind="search", item_id=..., text=short, position=-1)).refused
    assert len(msgspec.json.decode(refused["raw"][0])["text"]) == 1000
    (refused,) = run(settings, line(kind="search", text=short + MAIL)).refused
    assert len(msgspec.json.decode(refused["raw"][0])["text"]) > 1000


def test_each_type_can_be_switched_off_and_all_of_them(settings: Settings) -> None:
    def texts(*types: str) -> pl.DataFrame:
        chosen = override_settings(settings, landing_redact=list(types))
        landed = pl.from_arrow(run(chosen, line(text=f"{MAIL} {CARD}")).to_commit().feedback)
        assert isinstance(landed, pl.DataFrame)
        return landed

    assert texts("card")["text"].to_list() == [f"{MAIL} [card]"]
    off = texts()
    assert off["text"].to_list() == [f"{MAIL} {CARD}"]
    assert off[COLUMN].to_list() == [None]


def test_the_setting_names_every_type_by_default(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(load_settings(str(tmp_path)).landing.redact) == {kind.value for kind in Sensitive}
    monkeypatch.setenv("HEED_LANDING_REDACT", '["iban"]')
    assert load_settings(str(tmp_path)).landing.redact == ["iban"]


def test_every_stage_fills_columns_of_its_own() -> None:
    filled = [column for make in STAGES for column in make().columns]
    assert sorted(filled) == sorted(column.name for column in FEEDBACK_DERIVED)
    assert Redact.columns == (COLUMN,)


def test_a_producer_cannot_write_a_derived_column(settings: Settings) -> None:
    row = run(settings, line(**{COLUMN: 99})).events.row(0, named=True)
    assert row[COLUMN] == VERSION
    assert msgspec.json.decode(row["attributes"]) == {COLUMN: 99}
