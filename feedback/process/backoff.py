"""Back-off: how long to wait before something that failed is tried again, longer each time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Waits of `first_seconds`, then twice as long after each further failure, up to `longest_seconds`.

    Times are seconds of any clock that never goes back; the caller reads it.
    """

    first_seconds: float
    longest_seconds: float
    failures: int = 0
    due_at: float = float("-inf")

    def is_due(self, now: float) -> bool:
        """Whether it may be tried now."""
        return now >= self.due_at

    def failed(self, now: float) -> float:
        """Count a failure; returns the seconds until the next try."""
        # Beyond 64 doublings the number would no longer fit a float.
        seconds = min(self.longest_seconds, self.first_seconds * 2.0 ** min(self.failures, 64))
        self.failures += 1
        self.due_at = now + seconds
        return seconds

    def reset(self) -> None:
        """Forget all failures: it worked, or something else is to be tried."""
        self.failures, self.due_at = 0, float("-inf")
