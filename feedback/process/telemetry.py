"""Switch off the telemetry and banners of libraries.

Importing `feedback` runs it, so every process of Heed does.
"""

from __future__ import annotations

import os

_OFF = {
    "DO_NOT_TRACK": "1",
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "UV_NO_PROGRESS": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


def switch_off() -> None:
    """Set every opt-out that is not already decided in the environment."""
    for name, value in _OFF.items():
        os.environ.setdefault(name, value)
