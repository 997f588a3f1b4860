"""Turn a run's Dagster events into what people are told: steps as they go, and a summary at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from dagster_project.lib.summary import (
    CheckSummary,
    GateSummary,
    LandingSummary,
    LoopSummary,
    ModelSummary,
    State,
    StepEvent,
    StepSummary,
)

if TYPE_CHECKING:
    from dagster import DagsterEvent

TITLES: dict[str, str] = {
    "evaluations": "Compare recommenders",
    "challenger": "Learn from everything",
    "gate": "Judge",
    "gate_challenger_passed": "Note the judgement",
    "published_bundle": "Publish",
    "data_docs": "Write data docs",
}
"""What people call a step that neither builds nor checks a table."""


class Recorder:
    """Listens to one run."""

    def __init__(self, run_id: str, *, step_keys: Sequence[str]) -> None:
        self._run_id = run_id
        self._numbers = {step: number for number, step in enumerate(step_keys, start=1)}
        self._steps: dict[str, StepSummary] = {}
        self._checks: list[CheckSummary] = []
        self._metadata: dict[str, dict[str, Any]] = {}
        self._failures: list[str] = []
        self._success = False

    def record(self, event: DagsterEvent) -> StepEvent | None:
        """Take note of an event; what to tell of it, if it begins or ends a step."""
        kind = event.event_type_value
        if kind == "ASSET_MATERIALIZATION":
            materialization = event.step_materialization_data.materialization
            self._metadata[materialization.asset_key.to_user_string()] = _values(materialization.metadata)
        elif kind == "ASSET_CHECK_EVALUATION":
            self._checks.append(_check(event.asset_check_evaluation_data))
        elif kind == "PIPELINE_SUCCESS":
            self._success = True
        elif kind in ("PIPELINE_FAILURE", "PIPELINE_CANCELED") and not self._failures:
            self._failures.append(_run_failure(event))
        return self._step(event)

    def progress(self, words: str) -> StepEvent | None:
        """What the running step is at."""
        running = next((step for step, known in self._steps.items() if known.state == "started"), None)
        if running is None:
            return None
        return StepEvent(
            step=running,
            title=title_of(running),
            state="started",
            number=self._numbers[running],
            steps=len(self._numbers),
            detail=words,
        )

    def leave_out(self) -> list[StepEvent]:
        """The steps that never began, because something before them failed."""
        missing = [step for step in self._numbers if step not in self._steps]
        return [self._told(step, "skipped") for step in missing]

    def summary(self, *, seconds: float, log_file: str) -> LoopSummary:
        """All that was noted."""
        gate = self._metadata.get("gate", {}).get("gate")
        published = self._metadata.get("published_bundle", {})
        return LoopSummary(
            run_id=self._run_id,
            success=self._success,
            seconds=seconds,
            steps=[self._steps[step] for step in self._numbers if step in self._steps],
            checks=self._checks,
            models=[
                msgspec.convert(figures, ModelSummary)
                for figures in self._metadata.get("evaluations", {}).get("figures", [])
            ],
            landing=_landing(self._metadata.get("landed_feedback")),
            gate=None if gate is None else _gate(gate, published.get("hold")),
            published_version=published.get("published_version"),
            failures=self._failures,
            left_out=self._left_out(),
            log_file=log_file,
        )

    def _left_out(self) -> dict[str, dict[str, int]]:
        from dagster_project.lib.tables.registry import TABLE_ASSETS

        rows = {check.name: check.left_out for check in self._checks if check.asset == "landed_feedback"}
        found = {"feedback": rows} | {
            table: self._metadata.get(asset.name, {}).get("left_out", {})
            for table, asset in TABLE_ASSETS.items()
            if asset.replaces
        }
        counts = {table: {rule: n for rule, n in rules.items() if n} for table, rules in found.items()}
        return {table: rules for table, rules in counts.items() if rules}

    def _step(self, event: DagsterEvent) -> StepEvent | None:
        step = event.step_key
        if step is None or step not in self._numbers:
            return None
        match event.event_type_value:
            case "STEP_START":
                return self._told(step, "started")
            case "STEP_SUCCESS":
                return self._told(step, "done", seconds=event.step_success_data.duration_ms / 1000)
            case "STEP_SKIPPED":
                return self._told(step, "skipped")
            case "STEP_FAILURE":
                detail = (step.endswith("_suite") and self._broken_rules()) or failure_text(event.step_failure_data)
                self._failures.append(f"{title_of(step)}: {detail}")
                return self._told(step, "failed", detail=detail)
        return None

    def _broken_rules(self) -> str:
        """Why a suite stopped the run; nothing where no critical rule is broken."""
        broken = [check for check in self._checks if not check.success and check.severity == "critical"]
        return "; ".join(
            f"{check.asset}, {check.name}: {check.observed}"
            + (f", such as {', '.join(check.examples[:2])}" if check.examples else "")
            for check in broken
        )

    def _told(self, step: str, state: State, *, seconds: float = 0.0, detail: str | None = None) -> StepEvent:
        self._steps[step] = StepSummary(step=step, title=title_of(step), state=state, seconds=seconds)
        return StepEvent(
            step=step,
            title=title_of(step),
            state=state,
            number=self._numbers[step],
            steps=len(self._numbers),
            seconds=seconds or None,
            detail=detail,
        )


@cache
def _titles() -> dict[str, str]:
    from dagster_project.lib.tables.registry import TABLE_ASSETS, step_titles

    return TITLES | step_titles(TABLE_ASSETS)


def title_of(step: str) -> str:
    """What people call a step."""
    return _titles().get(step, step.replace("_", " ").capitalize())


def failure_text(data: Any) -> str:  # noqa: ANN401 - Dagster's step failure data
    """Why a step failed: the words of the failure, else of the error at the bottom."""
    if data.user_failure_data is not None and data.user_failure_data.description:
        return str(data.user_failure_data.description)
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return "unknown error" if error is None else _first_line(error.message)


def _first_line(message: str) -> str:
    """An error's message without the name of its class in front, and without what follows the first line."""
    line = message.strip().splitlines()[0] if message.strip() else "no message"
    name, separator, rest = line.partition(": ")
    return rest if separator and name.replace(".", "").isidentifier() and rest else line


def _run_failure(event: DagsterEvent) -> str:
    data = event.event_specific_data
    error = getattr(data, "error", None)
    while error is not None and error.cause is not None:
        error = error.cause
    return _first_line(error.message) if error is not None else (event.message or "the run failed")


def _values(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {name: getattr(value, "value", value) for name, value in metadata.items()}


def _check(data: Any) -> CheckSummary:  # noqa: ANN401 - Dagster's asset check evaluation
    metadata = _values(data.metadata)
    examples = str(metadata.get("examples", ""))
    return CheckSummary(
        asset=data.asset_key.to_user_string(),
        name=data.check_name,
        severity=str(metadata.get("severity", "critical")),
        success=data.passed,
        observed=str(metadata.get("observed", "")),
        unexpected=int(metadata.get("unexpected", 0)),
        examples=examples.splitlines(),
        left_out=int(metadata.get("left_out", 0)),
    )


def _gate(told: Mapping[str, Any], hold: str | None) -> GateSummary:
    """What the gate told; a rollback may have come after it had spoken."""
    summary = msgspec.convert(told, GateSummary)
    if hold is None or summary.hold is not None:
        return summary
    return msgspec.structs.replace(summary, hold=hold, action="keep", reasons=[*summary.reasons, hold])


def _landing(metadata: Mapping[str, Any] | None) -> LandingSummary | None:
    if metadata is None:
        return None
    return LandingSummary(
        landed=metadata["landed"],
        duplicates=metadata["duplicates"],
        quarantined=metadata["quarantined"],
        codes=metadata["code_counts"],
        events_per_second=metadata["events_per_second"],
        rows=metadata["dagster/row_count"],
    )
