"""Two gateways on one log: what people state without id and time holds in the order of appending, whoever took it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from beam_jobs.landing import drain
from feedback.intake import Intake, open_intake
from feedback.settings.home import Settings, load_settings
from feedback.subjects import Pseudonyms, load_or_create_key
from lakehouse.lake import open_lake
from lakehouse.landed.audit import audit
from lakehouse.tables.feedback import FEEDBACK
from online.open import open_online_store

pytestmark = pytest.mark.beam

DENY = {"kind": "consent", "user_id": "ann", "denied": ["personalization"]}
GRANT = {"kind": "consent", "user_id": "ann", "granted": ["personalization"]}


@pytest.fixture(
    params=["sqlite", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.xdist_group("kafka")])],
)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    url = ""
    if request.param == "kafka":
        broker = request.getfixturevalue("kafka_broker")
        url = f"kafka://{broker.address}/gateways-{secrets.token_hex(4)}"
    return load_settings(tmp_path / "home", landing_flush_seconds=0.02, log_url=url)


@pytest.fixture
def gateways(home: Settings) -> Iterator[tuple[Intake, Intake]]:
    one, other = open_intake(home), open_intake(home)
    yield one, other
    one.log.close()
    other.log.close()


def test_the_last_of_two_gateways_statements_holds(home: Settings, gateways: tuple[Intake, Intake]) -> None:
    one, other = gateways
    for gateway, statement in (
        (one, DENY), (other, DENY),  # a retry that reached the other gateway
        (other, GRANT), (one, DENY), (other, DENY), (one, DENY),
    ):  # fmt: skip
        gateway.submit([statement])

    drain(home)
    one.submit([DENY])
    drain(home)

    landed = open_lake(home).scan(FEEDBACK).sort("log_offset", "log_index").collect()
    assert landed["payload"].str.extract(r"(denied|granted)").to_list() == ["denied", "granted", "denied"]
    assert landed["id"].n_unique() == 3
    subject = Pseudonyms(load_or_create_key(home.paths.subject_key_file)).subject_of("ann")
    store = open_online_store(home.online)
    assert not store.personal(subject)
    store.close()
    report = audit(open_lake(home), one.log.name, bounds=one.log.bounds())
    assert report.holds, report.faults


def test_a_taken_id_is_told_apart_by_the_gateway_that_took_it(gateways: tuple[Intake, Intake]) -> None:
    one, _ = gateways
    rating = {"kind": "rating", "user_id": "u", "item_id": "i", "value": 4, "scale": [1, 5], "id": "1"}

    codes = [verdict.code for value in (4, 4, 1) for verdict in one.submit([{**rating, "value": value}])]

    assert codes == [None, "duplicate", "id_conflict"]
