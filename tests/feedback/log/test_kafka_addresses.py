"""How a Kafka log is addressed, which options it takes, and what is said where it cannot be reached."""

from __future__ import annotations

import logging
import time
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from feedback.errors import LogError, SettingsError
from feedback.intake import open_intake
from feedback.log.open import open_log
from feedback.log.port import NewRecord
from feedback.settings.home import Settings, ensure_home, load_settings, override_settings
from feedback.verdicts import count_verdicts
from tests.feedback.log.log_conformance import EVERY_PARTITION, eventually
from tests.support.kafka_server import PASSWORD, USER, Broker

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group("kafka")]


@pytest.mark.parametrize(
    "url",
    ["kafka://", "kafka://host/topic", "kafka://host:1", "kafka://host:1/", "kafka://host:1/a b", "kafka://u:p@h:1/t"],
)
def test_an_address_of_another_form_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="use kafka://host:port"):
        open_log(load_settings(tmp_path, log_url=url).log)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group.id": "mine", "acks": "0"}, "acks, group.id cannot be chosen"),
        ({"sasl.pasword": "hush"}, 'No such configuration property: "sasl.pasword"'),
        ({"security.protocol": "none"}, "security.protocol"),
    ],
)
def test_options_that_cannot_be_are_refused(tmp_path: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        open_log(load_settings(tmp_path, log_url="kafka://127.0.0.1:1/topic", log_options=options).log)
    assert "hush" not in str(caught.value)


def test_a_broker_that_is_not_there_is_told_within_seconds(tmp_path: Path) -> None:
    started = time.monotonic()

    with pytest.raises(LogError, match=r"127\.0\.0\.1:1/topic: the topic cannot be described.*refused"):
        open_log(load_settings(tmp_path, log_url="kafka://127.0.0.1:1/topic").log)

    assert time.monotonic() - started < 15


def sasl(password: str) -> dict[str, str]:
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanisms": "PLAIN",
        "sasl.username": USER,
        "sasl.password": password,
    }


def test_credentials_reach_every_client(tmp_path: Path, kafka_broker: Broker) -> None:
    url = f"kafka://{kafka_broker.sasl_address}/guarded-{zlib.crc32(str(tmp_path).encode())}"
    log = open_log(load_settings(tmp_path, log_url=url, log_options=sasl(PASSWORD), log_name="guarded").log)

    log.append([NewRecord(0, b"x", 1)], now=datetime.now(UTC))

    assert log.read(0, 0, max_events=1)[0].value == b"x"
    assignment = log.join("guarded")
    eventually(lambda: assignment.partitions() == EVERY_PARTITION)
    assignment.leave()
    log.close()


def test_credentials_that_are_refused_are_told_soon_and_without_the_password(
    tmp_path: Path, kafka_broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    started = time.monotonic()

    with pytest.raises(LogError, match=r"SASL authentication error.*Invalid username or password") as caught:
        open_log(
            load_settings(tmp_path, log_url=f"kafka://{kafka_broker.sasl_address}/t", log_options=sasl("hush")).log
        )

    assert time.monotonic() - started < 5
    assert "hush" not in str(caught.value) + caplog.text


def test_the_gateway_appends_to_kafka_as_it_does_to_sqlite(settings: Settings, kafka_broker: Broker) -> None:
    url = f"kafka://{kafka_broker.address}/intake-{zlib.crc32(settings.home.encode())}"
    ensure_home(settings)
    intake = open_intake(override_settings(settings, log_url=url))
    rating = {"kind": "rating", "item_id": "i", "value": 4, "scale": [1, 5]}
    ratings = [{**rating, "id": f"{n % 90}", "user_id": f"u{n % 90 % 7}"} for n in range(100)]

    verdicts = count_verdicts([*intake.submit(ratings), *intake.submit(ratings[:5])])

    log = intake.log
    held = sum(record.count for partition in range(4) for record in log.read(partition, 0, max_events=1000))
    assert (held, verdicts.accepted, verdicts.duplicates) == (90, 90, 15)
    log.close()


def test_a_complaint_of_the_client_library_is_written_once_a_minute() -> None:
    (fewer,) = logging.getLogger("feedback.librdkafka").filters

    def passes(text: str, at: float) -> bool:
        record = logging.makeLogRecord({"msg": text, "created": at})
        return bool(fewer.filter(record))

    said = [
        passes(text, at)
        for text, at in [
            ("FAIL 1.2.3.4:9 after 10ms", 1e12),
            ("FAIL 1.2.3.4:9 after 12ms", 1e12 + 59),
            ("GONE", 1e12 + 59),
            ("FAIL 1.2.3.4:9 after 9ms", 1e12 + 61),
            ("CONFWARN linger.ms is a producer property", 1e12),
        ]
    ]

    assert said == [True, False, True, True, False]
