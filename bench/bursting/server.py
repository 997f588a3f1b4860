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
    from cli.web import app_from_environment

    WorkerThread.MAX_IDLE_TIME = IDLE_SECONDS  # type: ignore[assignment]  # a whole number by declaration alone
    return app_from_environment()


if __name__ == "__main__":
    from cli.web_server import run_server
    from feedback.settings import load_settings

    run_server(load_settings(sys.argv[1], port=int(sys.argv[2])), app="bench.bursting.server:app")
