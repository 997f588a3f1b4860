"""A log in memory that remembers only the ids of one file, for a dry run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from feedback.log.port import NewRecord


class DryLog:
    """The part of `FeedbackLog` that an intake writes to; events are forgotten, the memos of one file are kept."""

    partitions = 1

    def __init__(self) -> None:
        self._keys: dict[bytes, int | None] = {}
        self._latest: dict[str, int] = {}

    def append(self, records: Sequence[NewRecord], *, now: datetime) -> list[int]:
        """Remember the memos of records; `now` is not needed."""
        for record in records:
            for memo in record.memos:
                self._keys[memo.key] = memo.content
                if memo.topic is None:
                    continue
                if memo.undated and memo.content is not None:
                    self._latest[memo.topic] = memo.content
                else:
                    self._latest.pop(memo.topic, None)
        return list(range(len(records)))

    def seen_ids(self, keys: Sequence[bytes]) -> dict[bytes, int | None]:
        """Which identity keys came before in the file."""
        return {key: self._keys[key] for key in keys if key in self._keys}

    def latest_statements(self, topics: Sequence[str]) -> dict[str, int]:
        """The latest statement without id and time about each topic."""
        return {topic: self._latest[topic] for topic in topics if topic in self._latest}
