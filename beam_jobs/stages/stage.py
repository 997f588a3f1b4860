"""The base of landing stages: steps between deduplication and commit, such as redaction.

A stage judges each event alone, from the record, the settings and its model, and keeps the order of the rows: a retry
by the same model decides the same. Where the model has changed between two attempts at a batch, the commit keeps what
the first one wrote. Events may lose rows only by `Batch.refuse` and `Batch.divert`. A new stage is a file here, a line
in `beam_jobs.stages.registry`, and its columns in `lakehouse.tables.feedback.FEEDBACK_DERIVED`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from beam_jobs.batch import Batch
from feedback.settings.home import Settings


@dataclass(frozen=True, slots=True)
class StageContext:
    """The context that a stage is opened with."""

    settings: Settings


@dataclass(frozen=True, slots=True)
class CleanLines:
    """Refused lines as they may be kept, and what was found in them, by name."""

    lines: pl.Series
    findings: Mapping[str, int]


class LandingStage:
    """One step; a worker opens it once, gives it batch after batch, and closes it.

    Figures of its own are Prometheus metrics in its file; what it finds in batches it adds to `Batch.findings`, which
    count once the batch is committed.
    """

    name: ClassVar[str]
    """Its name in metrics and in Beam."""
    columns: ClassVar[tuple[str, ...]] = ()
    """Columns of `feedback` that it fills in, among them its version; null in rows that land while it is off."""

    def open(self, context: StageContext) -> None:
        """Read settings and load models; called before the first batch.

        Raises:
            HeedError: What it needs is not there.
        """

    def process(self, batch: Batch) -> Batch:
        """Process one batch; a stage with a reloadable model checks here for a newer one."""
        return batch

    def clean(self, lines: pl.Series) -> CleanLines:
        """Lines as they stood in the log, whole or not, made fit to be kept in `quarantine.raw` and in replays."""
        return CleanLines(lines, {})

    def close(self) -> None:
        """Release what `open` took."""
