"""Keep Beam's notices about its own optimizations and missing extras out of a command's output."""

from __future__ import annotations

import logging


def quiet_beam() -> None:
    """Called before Beam is imported, which logs on import; other warnings and errors stay."""
    logging.getLogger().addFilter(_needs_no_google_cloud)
    for name in ("apache_beam.runners", "apache_beam.options", "apache_beam.internal", "apache_beam.typehints"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _needs_no_google_cloud(record: logging.LogRecord) -> bool:
    """Whether a record is something else than Beam's warning that Google's cloud tools are missing."""
    return not str(record.msg).startswith("apitools not found")
