"""Counts equal undated events within one file, so that importing the file again finds each as a duplicate."""

from __future__ import annotations

from collections import defaultdict


class Occurrences:
    """Counts events by content while one file is imported; make a new one for each file.

    A file may hold the same event several times without an id or a time: two views of one page. Over HTTP each of
    them counts, and nothing tells a retry from a second view. In a file the second one is known as the second, so that
    importing the file again adds nothing.
    """

    def __init__(self) -> None:
        self._counts: defaultdict[int, int] = defaultdict(int)

    def next(self, content_id: str) -> int:
        """Count one more event of this content; returns how many of it came before in the file."""
        key = hash(content_id)  # 64 bits: two contents that share one only swap numbers
        count = self._counts[key]
        self._counts[key] = count + 1
        return count
