"""Open the feedback log that the settings name; its port is `feedback/log/port.py`."""

from __future__ import annotations

from feedback.errors import SettingsError
from feedback.log.port import FeedbackLog
from feedback.settings.stores import LogSettings


def open_log(settings: LogSettings) -> FeedbackLog:
    """Open the log that the settings name, making it on first use.

    Raises:
        SettingsError: The address names no known kind of log.
        LogError: It cannot be opened.
    """
    scheme, colon, rest = settings.url.partition("://")
    if scheme == "sqlite":
        from feedback.log.sqlite import SqliteLog

        return SqliteLog(
            rest,
            name=settings.name,
            partitions=settings.partitions,
            lease_seconds=settings.lease_seconds,
        )
    if scheme == "kafka":
        from feedback.log.kafka.log import KafkaLog

        return KafkaLog(
            rest,
            name=settings.name,
            partitions=settings.partitions,
            options=settings.options,
            retention_days=settings.retention_days,
            lease_seconds=settings.lease_seconds,
        )
    told = f": unknown scheme {scheme!r}" if colon else " is no address"  # the rest of it may hold a password
    raise SettingsError(f"log_url{told}; use sqlite:///path/to/file.db or kafka://host:port/topic")
