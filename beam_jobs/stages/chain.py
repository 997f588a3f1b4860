"""The stages of a landing in their order: one chain in a worker, the same in a replay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import apache_beam as beam
import polars as pl

from beam_jobs.batch import Batch
from beam_jobs.runner.pipeline_context import release, reported_failure, shared
from beam_jobs.stages.stage import LandingStage, StageContext
from feedback.settings.home import Settings

StageMaker = Callable[[], LandingStage]


class StageChain:
    """Open stages, one after the other."""

    def __init__(self, makers: Sequence[StageMaker], settings: Settings) -> None:
        """Open every stage; where one fails, those before it are closed again."""
        self._stages: list[LandingStage] = []
        try:
            for make in makers:
                stage = make()
                stage.open(StageContext(settings))
                self._stages.append(stage)
        except BaseException:
            self.close()
            raise

    def process(self, batch: Batch) -> Batch:
        """A batch through every stage; then the raw of what is refused, by whichever stage, is cleaned."""
        for stage in self._stages:
            batch = stage.process(batch)
        return self._clean_refused(batch)

    def clean(self, lines: Sequence[bytes]) -> list[bytes]:
        """Lines that go to the log again, as a table may keep them."""
        kept = pl.Series([line.decode() for line in lines], dtype=pl.String)
        for stage in self._stages:
            kept = stage.clean(kept).lines
        return [line.encode() for line in kept]

    def close(self) -> None:
        """Close every stage, the last first."""
        while self._stages:
            self._stages.pop().close()

    def _clean_refused(self, batch: Batch) -> Batch:
        findings: Counter[tuple[str, str]] = Counter(batch.findings)
        refused = []
        for frame in batch.refused:
            raw = frame["raw"]
            if raw.null_count() < len(raw):
                for stage in self._stages:
                    cleaned = stage.clean(raw)
                    raw = cleaned.lines
                    findings.update({(stage.name, what): count for what, count in cleaned.findings.items()})
                frame = frame.with_columns(raw.alias("raw"))
            refused.append(frame)
        return replace(batch, refused=tuple(refused), findings=findings)


@contextmanager
def open_chain(makers: Sequence[StageMaker], settings: Settings) -> Iterator[StageChain]:
    """A chain for the time of a block."""
    chain = StageChain(makers, settings)
    try:
        yield chain
    finally:
        chain.close()


class RunStages(beam.DoFn):
    """Batch -> Batch through the stages; they stay open from one pipeline of a process to the next."""

    def __init__(self, makers: Sequence[StageMaker], settings: Settings, context_id: str) -> None:
        self._makers = tuple(makers)
        self._settings = settings
        self._context_id = context_id

    def setup(self) -> None:
        """Open the stages, unless the pipeline before left them open."""
        with reported_failure(self._context_id):
            self._chain = shared(self._context_id, "stages", self._open)

    def _open(self) -> StageChain:
        return StageChain(self._makers, self._settings)

    def process(self, batch: Batch) -> Iterator[Batch]:
        """One batch; one without records goes on as it is."""
        if batch.is_takeover:
            yield batch
            return
        with reported_failure(self._context_id):
            done = self._chain.process(batch)
        yield done

    def teardown(self) -> None:
        """Close the stages, unless the next pipeline takes them over."""
        if hasattr(self, "_chain"):
            release(self._context_id, self._chain)
