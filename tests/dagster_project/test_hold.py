"""A rollback that holds: judged all the same, not published, and said wherever the judgement is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from cli.learning.run import show_summary
from cli.output import Output
from dagster_project.defs.learning import gate
from dagster_project.defs.resources import HeedHome
from dagster_project.lib.recording import Recorder
from dagster_project.lib.summary import GateSummary
from feedback.settings.home import Settings
from models.bundle.store import BundleStore
from models.evaluation.gate import GateOutcome, GateResult
from models.learning.comparison import Comparison
from models.learning.publication import publish
from tests.models.bundle.test_rollback import INTERACTIONS
from tests.models.test_learning_core import START
from tests.models.test_learning_core import publish as publish_bundle

NOTHING_JUDGED = Comparison("an evaluation", (), {}, missing={"stratified": "too little", "global_time": "too little"})
TOLD = {"approved": True, "action": "promote", "reasons": ["better"], "challenger": "signed_als"}


@pytest.fixture
def held(settings: Settings) -> Settings:
    store = BundleStore(settings.paths.bundles)
    publish_bundle(store)
    publish_bundle(store, START + timedelta(hours=1))
    store.rollback(at=START)
    return settings


def judged(settings: Settings) -> dict[str, Any]:
    result: Any = gate(evaluations=NOTHING_JUDGED, heed=HeedHome(home=settings.home))
    return {name: getattr(value, "value", value) for name, value in result.metadata.items()}


def test_the_gate_judges_and_says_that_a_rollback_holds(held: Settings) -> None:
    told = judged(held)
    BundleStore(held.paths.bundles).release()
    later = judged(held)

    assert told["gate"]["action"] == "keep"
    assert "`heed rollback --release`" in told["gate"]["hold"]
    assert told["gate"]["reasons"][-1] == told["gate"]["hold"]
    assert told["decision"] == "refused: fall_back, not published: a rollback holds"
    assert (later["gate"]["action"], later["gate"]["hold"]) == ("fall_back", None)


def test_nothing_is_published_while_a_rollback_holds(held: Settings) -> None:
    serving = BundleStore(held.paths.bundles).current_version()
    refused = GateResult(GateOutcome.FALL_BACK, (), ("nothing learned serves",))

    def published() -> tuple[str | None, str | None]:
        came = publish(
            held, refused, None, NOTHING_JUDGED, interactions=INTERACTIONS,
            catalogue=INTERACTIONS.select("item_id").unique(), delta_versions={}, positions={}, checks={},
        )  # fmt: skip
        return (came.manifest and came.manifest.version), came.hold

    version, hold = published()
    assert (version, BundleStore(held.paths.bundles).current_version()) == (None, serving)
    assert hold is not None
    BundleStore(held.paths.bundles).release()
    version, hold = published()
    assert (version, hold) == (BundleStore(held.paths.bundles).current_version(), None)


def test_a_rollback_that_came_after_the_judgement_is_in_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    @dg.asset(name="gate")
    def judged_before() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"gate": TOLD})

    @dg.asset(deps=[judged_before])
    def published_bundle() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"action": "promote", "hold": "a rollback holds"})

    recorder = Recorder("run", step_keys=["gate", "published_bundle"])
    for event in dg.materialize([judged_before, published_bundle]).all_events:
        recorder.record(event)
    summary = recorder.summary(seconds=1.0, log_file="")
    show_summary(summary, Output(as_json=False))

    assert summary.gate == GateSummary(
        approved=True, action="keep", reasons=["better", "a rollback holds"], challenger="signed_als",
        hold="a rollback holds",
    )  # fmt: skip
    assert "passed but not published: a rollback holds" in capsys.readouterr().out
