"""The whole contract is checked in landing: what a producer past the gateway writes into `payload` and `attributes`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from beam_jobs.landing import drain
from beam_jobs.stages.admit import admit
from beam_jobs.stages.decode import decode
from feedback.admission import Admission, Admitted
from feedback.contract import KINDS
from feedback.fields.payloads import payload_objection, payload_of
from feedback.log.open import open_log
from feedback.settings.home import load_settings
from feedback.subjects import Pseudonyms
from lakehouse.lake import open_lake
from lakehouse.tables.quarantine import QUARANTINE
from online.open import open_online_store
from tests.support.landing.lines import SUBJECT, append, line, poll

OTHER = "b" * 32
PERSON = {"subject": SUBJECT, "item_id": ...}
ENTRY = {"kind": "item", "subject": ..., "item_id": "i"}
BAD: dict[str, dict[str, Any]] = {
    "not JSON": {"kind": "consent", **PERSON, "payload": "{denied"},
    "empty": {"kind": "consent", **PERSON, "payload": ""},
    "a list": {"kind": "consent", **PERSON, "payload": "[]"},
    "null for a list": {"kind": "consent", **PERSON, "payload": '{"denied":null}'},
    "no purpose": {"kind": "consent", **PERSON, "payload": '{"granted":["all"]}'},
    "a text for a list": {"kind": "consent", **PERSON, "payload": '{"denied":"personalization"}'},
    "identify without": {"kind": "identify", **PERSON},
    "identify of a raw id": {"kind": "identify", **PERSON, "payload": '{"anonymous_subject":"visitor-7"}'},
    "identify of a number": {"kind": "identify", **PERSON, "payload": '{"anonymous_subject":7}'},
    "item without": ENTRY,
    "item of a person": {"kind": "item", "item_id": "i", "payload": '{"title":"T"}'},
    "item untitled": {**ENTRY, "payload": '{"categories":["a"]}'},
    "item of wrong types": {**ENTRY, "payload": '{"title":"T","categories":"a"}'},
    "item with a bad date": {**ENTRY, "payload": '{"title":"T","released_at":"soon"}'},
    "item too deep": {**ENTRY, "payload": '{"title":"T","x":' + "[" * 5000 + "]" * 5000 + "}"},
    "profile": {"kind": "profile", **PERSON, "payload": '{"traits":[]}'},
    "choices": {"kind": "survey", "label": "choice", **PERSON, "payload": '{"choices":"red"}'},
    "a choice without": {"kind": "survey", "label": "choice", **PERSON},
    "an answer without": {"kind": "survey", "label": "nps", **PERSON},
    "a value without scale": {"kind": "review", "text": "t", "value": 3.0},
    "half a scale": {"kind": "review", "text": "t", "scale_min": 3.0},
    "search": {"kind": "search", "text": "q", "payload": '{"results":-1}'},
    "payload of a click": {"payload": "nothing"},
    "attributes": {"attributes": "[1]"},
    "attributes, no JSON": {"attributes": "{"},
    "consent in a column": {"consent": ["feedback", "everything"]},
}


@pytest.mark.parametrize("changes", BAD.values(), ids=BAD)
def test_a_line_that_breaks_the_contract_beside_its_columns_is_refused_alone(changes: dict[str, Any]) -> None:
    batch = admit(decode(poll(line(id="before"), line(id="bad", **changes), line(id="after"))))

    assert batch.events["id"].to_list() == ["before", "after"]
    (refused,) = batch.refused
    assert refused.select("id", "code").rows() == [("bad", "contract_broken")]
    assert len(refused["detail"][0]) > 10


def test_the_detail_names_the_field() -> None:
    assert payload_objection("consent", '{"denied":null}') == "`payload.denied`: Expected `array`, got `null`"
    assert payload_objection("item", None) == "`payload.title` is missing"


def test_fields_of_a_later_contract_are_let_through() -> None:
    read: Any = payload_of("consent", '{"denied":["analytics"],"until":{"v":2}}')

    assert read.denied == ["analytics"]


def _example(kind: str) -> dict[str, Any]:
    """An event of a kind with every field that it has."""
    examples = {
        "value": 3, "scale": [1, 5], "text": "t", "reaction": "like", "metric": "choice", "choices": ["a"],
        "query": "q", "results": 3, "seconds": 2.5, "depth": 0.5, "state": "start", "author": "agent", "quantity": 2,
        "price": 1.5, "currency": "EUR", "reason": "r", "items": ["i"], "granted": ["analytics"],
        "denied": ["personalization"], "segment": "s", "traits": {"a": [1]}, "title": "T", "categories": ["c"],
        "tags": ["t"], "description": "d", "url": "u", "image_url": "u", "available": False,
        "released_at": "1939-08-25T00:00:00Z", "user_id": "u", "anonymous_id": "a", "item_id": "i", "decision_id": "d",
        "order_id": "o", "survey_id": "s", "question_id": "q", "conversation_id": "c", "attributes": {"x": {"y": 1}},
        "channel": "chat", "consent": ["feedback", "personalization"],
    }  # fmt: skip
    return {"kind": kind, **{name: examples[name] for name in KINDS[kind].__struct_fields__ if name in examples}}


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_gateway_admits_is_never_refused_here(kind: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    admitted = Admission(Pseudonyms(b"k" * 32)).admit(_example(kind), now)
    assert isinstance(admitted, Admitted)

    batch = admit(decode(poll(admitted.line, at=now)))

    assert batch.events.height == 1, batch.refused
    told = msgspec.json.decode(admitted.line).get("payload")
    assert payload_of(kind, told) is not None


def test_bad_payloads_stop_neither_landing_nor_the_online_store(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    log = open_log(settings.log)
    now = int(datetime.now(UTC).timestamp() * 1e6)
    times = {"occurred_at": now, "received_at": now}
    bad = [line(id=f"bad {n}", **times, **changes) for n, changes in enumerate(BAD.values())]
    denial = line(id="denial", kind="consent", **PERSON, payload=json.dumps({"denied": ["personalization"]}), **times)
    append(log, *bad, denial, line(id="good", **times))
    log.close()

    report = drain(settings)

    assert (report.landed, report.codes) == (2, {"contract_broken": len(BAD)})
    assert open_lake(settings).scan(QUARANTINE).select(pl.col("detail").str.contains("`")).collect()["detail"].all()
    store = open_online_store(settings.online)
    assert not store.personal(SUBJECT)
    store.close()
