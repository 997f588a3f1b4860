"""Contract version 2 beside version 1, before and after the release that knows it: nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from beam_jobs.landing import drain
from feedback.intake import open_intake
from feedback.log.open import open_log
from feedback.settings.home import Settings
from feedback.settings.source import ROOT
from lakehouse.lake import open_lake
from lakehouse.landed.audit import audit
from lakehouse.tables.feedback import FEEDBACK
from tests.support.landing.lines import append, line

pytestmark = pytest.mark.beam
NEXT_RELEASE = ROOT / "tests" / "support" / "landing" / "next_release.py"


def land_with_the_next_release(settings: Settings) -> list[dict[str, object]]:
    command = [sys.executable, str(NEXT_RELEASE), settings.home]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=True)
    rows: list[dict[str, object]] = json.loads(done.stdout)
    return rows


def test_a_field_of_version_2_is_kept_by_version_1_and_becomes_a_column_by_a_declared_migration(
    settings: Settings,
) -> None:
    log = open_log(settings.log)
    append(log, line(id="1 old"), line(id="2 ahead", v=2, mood="glad"))
    assert drain(settings).landed == 2
    append(log, line(id="3 old"), line(id="4 known", v=2, mood="calm"))
    append(log, line(id="5 by an old gateway", v=2, attributes='{"mood":"sad","x":1}'))

    rows = land_with_the_next_release(settings)

    assert rows == [
        {"id": "1 old", "v": 1, "mood": None, "attributes": None},
        {"id": "2 ahead", "v": 2, "mood": "glad", "attributes": '{"mood":"glad"}'},
        {"id": "3 old", "v": 1, "mood": None, "attributes": None},
        {"id": "4 known", "v": 2, "mood": "calm", "attributes": None},
        {"id": "5 by an old gateway", "v": 2, "mood": "sad", "attributes": '{"mood":"sad","x":1}'},
    ]

    append(log, line(id="6 old release lands on"), line(id="7", v=2, mood="late"))
    assert drain(settings).landed == 2
    old = open_lake(settings).scan(FEEDBACK).sort("id").collect()
    assert old.height == 7
    assert old.columns == list(FEEDBACK.names)
    assert json.loads(old["attributes"][6]) == {"mood": "late"}
    assert audit(open_lake(settings), log.name, bounds=log.bounds()).holds


def test_through_the_gateway_a_version_ahead_is_accepted_and_keeps_what_is_unknown(settings: Settings) -> None:
    event = {"kind": "click", "user_id": "u", "item_id": "i"}

    verdicts = open_intake(settings).submit(
        [{**event, "id": "1"}, {**event, "id": "2", "v": 2, "mood": "glad"}, {**event, "id": "3", "v": "two"}]
    )
    drain(settings)

    assert [(v.verdict, v.field) for v in verdicts] == [("accepted", None), ("accepted", None), ("rejected", "v")]
    rows = open_lake(settings).scan(FEEDBACK).sort("id").collect()
    assert rows.select("v", "attributes").rows() == [(1, None), (2, '{"mood":"glad"}')]
