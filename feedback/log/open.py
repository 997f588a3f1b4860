"""Open the feedback log that the settings name; its port is `feedback/log/port.py`."""

from __future__ import annotations

from feedback.errors import SettingsError
from feedback.log.port import FeedbackLog
from feedback.settings.home import Settings


def open_log(settings: Settings) -> FeedbackLog:
    """Open the log that the settings name, making it on first use.

    Raises:
        SettingsError: The address names no known kind of log.
        LogError: It cannot be opened.
    """
    address = settings.log.url
    scheme, _, rest = address.partition("://")
    if scheme == "sqlite":
        from feedback.log.sqlite import SqliteLog

        return SqliteLog(
            rest,
            name=settings.log.name,
            partitions=settings.log.partitions,
            lease_seconds=settings.log.lease_seconds,
        )
    if scheme == "kafka":
        from feedback.log.kafka.log import KafkaLog

        return KafkaLog(
            rest,
            name=settings.log.name,
            partitions=settings.log.partitions,
            options=settings.log.options,
            retention_days=settings.log.retention_days,
            lease_seconds=settings.log.lease_seconds,
        )
    raise SettingsError(
        f"log_url {address!r}: unknown scheme {scheme!r}; use sqlite:///path/to/file.db or kafka://host:port/topic"
    )
