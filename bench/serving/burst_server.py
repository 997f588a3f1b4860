"""`heed serve` with worker threads that end after a moment of idleness, so that a short pause is a long one.

AnyIO ends a worker thread that was idle for 10 seconds; two thousand such pauses would take six hours.
"""

from __future__ import annotations

import sys

from anyio._backends._asyncio import WorkerThread
from litestar import Litestar

IDLE_SECONDS = 0.02


def app() -> Litestar:
    """The app of the HTTP server's own process, its threads' idle time shortened."""
    from server.app import app_from_environment

    WorkerThread.MAX_IDLE_TIME = IDLE_SECONDS  # type: ignore[assignment]  # a whole number by declaration alone
    return app_from_environment()


if __name__ == "__main__":
    from feedback.settings.home import load_settings
    from server.process import run_server

    run_server(load_settings(sys.argv[1], port=int(sys.argv[2])), app="bench.serving.burst_server:app")
