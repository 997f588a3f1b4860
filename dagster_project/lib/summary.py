"""What one run of the loop did, typed: for the command line, the demo, and programs that read JSON."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

State = Literal["started", "done", "failed", "skipped"]


class StepEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A step began or ended; `number` of `steps` for a progress bar.

    A long step says `started` again, with what it is at in `detail`.
    """

    step: str
    title: str
    state: State
    number: int
    steps: int
    seconds: float | None = None
    detail: str | None = None


class StepSummary(msgspec.Struct, frozen=True, kw_only=True):
    """How one step went."""

    step: str
    title: str
    state: State
    seconds: float = 0.0


class CheckSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What one data check found."""

    asset: str
    name: str
    severity: str
    success: bool
    observed: str
    unexpected: int = 0
    examples: list[str] = []
    left_out: int = 0
    """Rows that learning left out because they break this rule."""


class PopulationFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one population."""

    lists: int
    metrics: dict[str, float]
    ndcg_interval: list[float] = []
    """Where nDCG lies with 95 %, by a bootstrap over people."""


class ModelSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one recommender on one split."""

    recommender: str
    split: str
    k: int
    users: int
    metrics: dict[str, float]
    parameters: dict[str, Any] = {}
    mlflow_run_id: str | None = None
    chosen: bool = False
    """Whether this is the recommender that was judged by the gate."""
    known_users: int = 0
    """How many of the users have a history in train."""
    known: dict[str, float] = {}
    """The metrics over them alone."""
    populations: dict[str, PopulationFigures] = {}
    """The figures by population: all, strangers, newcomers, known."""


class LandingSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What landing did with the events that were waiting."""

    landed: int
    duplicates: int
    quarantined: int
    codes: dict[str, int]
    events_per_second: float
    rows: int
    """Rows in `feedback` afterwards."""


class GateSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate decided, and why."""

    approved: bool
    reasons: list[str]
    challenger: str
    action: str
    """promote, fall_back (to popularity) or keep (what serves)."""
    champion: str | None = None
    hold: str | None = None
    """Why a rollback keeps back whatever was judged, if one holds."""


class LoopSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is worth telling of a run."""

    run_id: str
    success: bool
    seconds: float
    steps: list[StepSummary]
    checks: list[CheckSummary]
    models: list[ModelSummary]
    landing: LandingSummary | None
    gate: GateSummary | None
    published_version: str | None
    """The bundle that this run published; `None` where the gate refused or the run failed."""
    failures: list[str]
    """What went wrong, in words, in the order in which it happened."""
    left_out: dict[str, dict[str, int]] = {}
    """By table and rule: rows of `feedback`, catalogue entries and interactions that were left out of learning."""
    log_file: str = ""
    """What the libraries wrote to the screen meanwhile."""

    @property
    def failed_checks(self) -> list[CheckSummary]:
        """The checks that did not hold, warnings among them."""
        return [check for check in self.checks if not check.success]
