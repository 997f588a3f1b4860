"""Streaming jobs: landing the feedback log in Delta."""

from __future__ import annotations

from beam_jobs.runner.quiet import quiet_beam

quiet_beam()
