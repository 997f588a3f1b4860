"""Logs of running services: one JSON object per line to programs, one readable line to a person at a terminal.

Code logs with the standard library; what belongs to a line (positions, counts, seconds) goes into `extra`.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog


def set_up_logs(*, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send every log line of this process to a stream, standard error by default."""
    output = stream or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=True) if output.isatty() else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
