"""Commits the batches that it is told of, and stops itself in the middle of each."""

from __future__ import annotations

import os
import signal
from multiprocessing.connection import Connection

from feedback.errors import StalePosition
from lakehouse.commit import LandingCommitter
from lakehouse.lake import Lake
from tests.conftest import NOW
from tests.lakehouse.rows import batch


def commit_in_sleep(root: str, asked: Connection) -> None:
    """For each (start, end, quarantined, point): commit, stop at the point, and answer what became of it."""
    where = ""

    def stop(point: str) -> None:
        nonlocal where
        if point == where:
            where = ""  # once for each batch
            os.kill(os.getpid(), signal.SIGSTOP)

    committer = LandingCommitter(Lake(root), "feedback", 1, fault=stop)
    while (told := asked.recv()) is not None:
        start, end, quarantined, where = told
        try:
            landed = committer.commit(batch(start, end, quarantine=quarantined), at=NOW)
        except StalePosition:
            asked.send("stale")
        else:
            asked.send("landed" if landed else "there before")
