"""Fault points: the process kills or stops itself at a named point, for tests and the kill bench.

`HEED_FAULT_POINT` names it as `[kill|stop ]POINT[:COUNT]`, with the points of `lakehouse.fenced_table.FaultPoint`: at
the COUNT-th pass the process gets SIGKILL, as from outside, or SIGSTOP, until somebody wakes it.
"""

from __future__ import annotations

import os
import signal

from lakehouse.fenced_table import FaultPoint, no_faults

FAULT_VARIABLE = "HEED_FAULT_POINT"
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


class SignalAt:
    """A fault hook that sends its own process a signal at one pass of a point, without any clean-up before."""

    def __init__(self, where: str) -> None:
        word, _, rest = where.partition(" ")
        self._signal = _SIGNALS.get(word, signal.SIGKILL)
        self._point, _, count = (rest if word in _SIGNALS else where).partition(":")
        self._left = int(count or 1)

    def __call__(self, point: str) -> None:
        """Count a pass of the point."""
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), self._signal)


def fault_point() -> FaultPoint:
    """The hook that the environment asks for; outside tests, none."""
    where = os.environ.get(FAULT_VARIABLE)
    return SignalAt(where) if where else no_faults
