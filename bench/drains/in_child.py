"""Drain a log in a child process."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bench.child_processes import ask_child
from bench.drains.drain_child import Drained


def drain_in_child(home: Path, overrides: Mapping[str, object]) -> Drained:
    """Drain a log into a home and say what it took.

    Raises:
        ServiceError: The child failed.
    """
    given = msgspec.json.encode(dict(overrides)).decode()
    return ask_child([sys.executable, "-m", "bench.drains.drain_child", str(home), given], Drained)
