"""Run the plain loop in a child process."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.child_processes import ask_child
from bench.peers.plain_loop import Looped


def loop_in_child(servers: str, topic: str, events: int, file: Path) -> Looped:
    """Let the plain loop read so many events of a topic.

    Raises:
        ServiceError: The child failed.
    """
    return ask_child([sys.executable, "-m", "bench.peers.plain_loop", servers, topic, str(events), str(file)], Looped)
