"""Measured work in processes of its own: one JSON object is what they answer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from bench.drains.drain_child import Drained
from bench.peers.plain_loop import Looped
from feedback.errors import ServiceError
from feedback.settings.source import ROOT

CHILD_SECONDS = 540.0

Answer = TypeVar("Answer")


def drain_in_child(home: Path, overrides: Mapping[str, object]) -> Drained:
    """Drain a log into a home and say what it took.

    Raises:
        ServiceError: The child failed.
    """
    given = msgspec.json.encode(dict(overrides)).decode()
    return ask_child([sys.executable, "-m", "bench.drains.drain_child", str(home), given], Drained)


def loop_in_child(servers: str, topic: str, events: int, file: Path) -> Looped:
    """Let the plain loop read so many events of a topic.

    Raises:
        ServiceError: The child failed.
    """
    return ask_child([sys.executable, "-m", "bench.peers.plain_loop", servers, topic, str(events), str(file)], Looped)


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
