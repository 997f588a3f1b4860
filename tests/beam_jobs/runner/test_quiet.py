"""What Beam logs when it is imported does not reach a command's output."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.beam
@pytest.mark.parametrize("module", ["beam_jobs.replay", "beam_jobs.pipeline"])
def test_importing_beam_prints_nothing(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"], capture_output=True, text=True, timeout=120, check=True
    )

    assert (done.stdout, done.stderr) == ("", "")
