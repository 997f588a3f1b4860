"""Run the Spark peer in its own environment and read what it says."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bench.child_processes import ask_child
from bench.peers.spark_environment import SparkEnvironment

SCRIPT = Path(__file__).with_name("spark_landing.py")


class SparkLanded(msgspec.Struct, frozen=True, kw_only=True):
    """What a query did: rows read and landed, seconds from its start to its end, and those of its triggers alone."""

    events: int
    landed: int
    seconds: float
    trigger_seconds: float
    batches: int

    @property
    def events_per_second(self) -> float:
        """After the session's start-up, by the triggers' own reports: the time that favours Spark."""
        return self.events / self.trigger_seconds


def land_with_spark(environment: SparkEnvironment, *, servers: str, topic: str, folder: Path) -> SparkLanded:
    """Land a topic into Delta tables in a folder.

    Raises:
        ServiceError: The query failed or took too long.
    """
    asked = {
        "servers": servers,
        "topic": topic,
        "folder": str(folder),
        "jars": ",".join(map(str, environment.jars)),
    }
    command = [str(environment.python), str(SCRIPT), msgspec.json.encode(asked).decode()]
    return ask_child(command, SparkLanded, environment=environment.variables)
