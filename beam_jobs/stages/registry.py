"""The stages that every landing and every replay run, in order."""

from __future__ import annotations

from beam_jobs.stages.chain import StageMaker
from beam_jobs.stages.redact import Redact

STAGES: tuple[StageMaker, ...] = (Redact,)
