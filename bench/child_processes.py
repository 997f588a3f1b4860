"""Run measured work in child processes; each answers with one JSON object."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from feedback.errors import ServiceError
from feedback.settings.source import ROOT

CHILD_SECONDS = 540.0

Answer = TypeVar("Answer")


def ask_child(command: Sequence[str], answer: type[Answer], *, environment: Mapping[str, str] | None = None) -> Answer:
    """Run a child to its end and read the last line that it prints.

    Raises:
        ServiceError: It failed, or it took too long.
    """
    try:
        done = subprocess.run(
            list(command), cwd=ROOT, env=environment, capture_output=True, timeout=CHILD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceError(f"{' '.join(command[1:3])} did not end within {CHILD_SECONDS:.0f} s") from error
    if done.returncode != 0:
        raise ServiceError(f"{' '.join(command[1:3])} failed: {done.stderr.decode(errors='replace')[-2000:]}")
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=answer)
