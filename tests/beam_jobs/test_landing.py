from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from beam_jobs.landing import drain, stream
from feedback.admitted import AdmittedEvent
from feedback.intake import open_intake
from feedback.log.open import open_log
from feedback.log.port import NewRecord
from feedback.settings.home import Settings
from lakehouse.lake import open_lake
from lakehouse.landed.audit import audit
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.quarantine import QUARANTINE
from online.open import open_online_store
from text.redaction import VERSION

pytestmark = pytest.mark.beam


def ratings(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "kind": "rating",
            "id": f"r{n}",
            "user_id": str(n % 7),
            "item_id": str(n % 11),
            "value": n % 5 + 1,
            "scale": [1, 5],
        }
        for n in range(start, start + count)
    ]


def landed_ids(settings: Settings) -> list[str]:
    return sorted(open_lake(settings).scan(FEEDBACK).select("id").collect()["id"])


def holds(settings: Settings) -> bool:
    log = open_log(settings.log)
    return audit(open_lake(settings), log.name, bounds=log.bounds()).holds


def test_a_drain_lands_what_the_log_holds_and_the_next_one_only_what_is_new(settings: Settings) -> None:
    intake = open_intake(settings)
    intake.submit(ratings(300))

    first = drain(settings)
    intake.submit(ratings(20, start=300))
    second = drain(settings)
    third = drain(settings)

    assert (first.landed, second.landed, third.landed) == (300, 20, 0)
    assert landed_ids(settings) == sorted(f"r{n}" for n in range(320))
    assert holds(settings)


def test_what_landed_can_be_read_back_field_by_field(settings: Settings) -> None:
    event = {
        "kind": "review", "id": "1", "user_id": "u", "item_id": "i", "text": "schön 😀", "value": 2.5,
        "scale": [0.5, 5],
        "occurred_at": "2026-01-31T09:30:00.123456Z", "context": {"country": "DE", "position": 3}, "extra": [1],
    }  # fmt: skip
    open_intake(settings).submit([event])

    drain(settings)

    row = open_lake(settings).scan(FEEDBACK).collect().row(0, named=True)
    assert row["text"] == "schön 😀"
    assert (row["value"], row["scale_min"], row["scale_max"], row["country"], row["position"]) == (2.5, 0.5, 5, "DE", 3)
    assert row["occurred_at"] == datetime(2026, 1, 31, 9, 30, 0, 123456, tzinfo=UTC)
    assert row["attributes"] == '{"extra":[1]}'


def test_poison_in_the_log_is_quarantined_with_its_place_and_its_neighbours_land(settings: Settings) -> None:
    intake = open_intake(settings)
    intake.submit(ratings(50))
    good = AdmittedEvent(
        v=1, id="x", kind="rating", subject="a" * 32, item_id="i", occurred_at=0, received_at=0, source="s"
    )
    lines = [
        b"{broken",
        b'{"v":1}',
        b"",
        b'{"v":1,"id":"n","kind":"rating","occurred_at":99999999999999999999,"received_at":0,"source":"s"}',
        b'{"v":1,"id":"y","kind":"poke","subject":"' + b"a" * 32 + b'","occurred_at":0,"received_at":0,"source":"s"}',
        b'{"v":1,"id":"z","kind":"rating","subject":"' + b"a" * 32 + b'","item_id":"i","value":9,"scale_min":1,'
        b'"scale_max":5,"occurred_at":0,"received_at":0,"source":"s"}',
    ]
    assert good.kind == "rating"
    intake.log.append([NewRecord(0, b"\n".join(lines), len(lines))], now=datetime.now(UTC))

    report = drain(settings)

    assert report.landed == 50
    assert report.codes == {"contract_broken": 2, "undecodable": 4}
    quarantine = open_lake(settings).scan(QUARANTINE).sort("log_index").collect()
    assert quarantine["log_index"].to_list() == list(range(6))
    assert quarantine["raw"].to_list() == [line.decode() for line in lines]
    assert "is not one of the contract's" in quarantine["detail"][4]
    assert "not within its scale" in quarantine["detail"][5]
    assert holds(settings)


def test_repeats_that_slip_past_the_gateway_are_duplicates_in_a_batch_and_after_a_restart(settings: Settings) -> None:
    intake = open_intake(settings)
    intake.submit(ratings(10))
    log = intake.log
    for partition in range(log.partitions):
        for record in log.read(partition, 0, max_events=100):
            log.append([NewRecord(partition, record.value, record.count)], now=datetime.now(UTC))

    first = drain(settings)
    for partition in range(log.partitions):
        for record in log.read(partition, 0, max_events=100)[:1]:
            log.append([NewRecord(partition, record.value, record.count)], now=datetime.now(UTC))
    second = drain(settings)

    assert (first.landed, first.duplicates) == (10, 10)
    assert (second.landed, second.duplicates) == (0, 10)
    duplicates = open_lake(settings).scan(QUARANTINE).collect()
    assert set(duplicates["code"]) == {"duplicate"}
    assert duplicates["raw"].null_count() == 20
    assert holds(settings)


def test_the_online_store_knows_what_landed(settings: Settings) -> None:
    open_intake(settings).submit(ratings(14))

    drain(settings)

    subject = open_lake(settings).scan(FEEDBACK).collect()["subject"][0]
    assert len(open_online_store(settings.online).recent(subject)) == 2


def test_a_stream_lands_events_as_they_come_and_equals_a_drain(settings: Settings) -> None:
    intake = open_intake(settings)
    stop = threading.Event()
    enough = threading.Event()
    thread = threading.Thread(
        target=stream, args=(settings, stop), kwargs={"on_progress": lambda done: enough.set() if done >= 120 else None}
    )
    thread.start()
    for start in range(0, 120, 10):
        intake.submit(ratings(10, start=start))

    assert enough.wait(60)
    stop.set()
    thread.join(30)

    assert not thread.is_alive()
    assert landed_ids(settings) == sorted(f"r{n}" for n in range(120))
    assert drain(settings).landed == 0
    assert holds(settings)


def test_rows_are_partitioned_by_the_day_the_log_took_them_not_by_when_they_happened(settings: Settings) -> None:
    day = datetime(2026, 2, 3, 23, 59, tzinfo=UTC)
    open_intake(settings, clock=lambda: day).submit([{**ratings(1)[0], "occurred_at": "1997-01-01T00:00:00Z"}])

    drain(settings)

    assert open_lake(settings).scan(FEEDBACK).select(pl.col("landed_on")).collect()["landed_on"][0] == day.date()


def test_what_customers_write_is_redacted_before_it_lands_and_a_retry_is_still_a_duplicate(settings: Settings) -> None:
    review = {
        "kind": "review", "user_id": "u", "item_id": "i", "occurred_at": "2026-01-31T09:30:00Z",
        "title": "call 0171 1234567", "text": "mail anna@example.com", "note": "paid with 4111 1111 1111 1111",
    }  # fmt: skip
    open_intake(settings).submit([review])
    first = drain(settings)
    log = open_log(settings.log)
    sent = [NewRecord(r.partition, r.value, r.count) for p in log.bounds() for r in log.read(p, 0, max_events=9)]
    log.append(sent, now=datetime.now(UTC))  # a producer that sends its record once more
    log.close()
    second = drain(settings)

    assert first.found == {"redact:card": 1, "redact:email": 1, "redact:phone": 1}
    assert (second.landed, second.duplicates, second.found) == (0, 1, {})
    row = open_lake(settings).scan(FEEDBACK).collect().row(0, named=True)
    assert row["text"] == "mail [email]"
    assert row["payload"] == '{"title":"call [phone]"}'
    assert row["attributes"] == '{"note":"paid with [card]"}'
    assert row["redaction_version"] == VERSION
