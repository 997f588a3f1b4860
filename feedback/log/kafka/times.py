"""Set a topic's `message.timestamp.type` to LogAppendTime: landing takes the log's time from record times."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from feedback.errors import LogError
from feedback.log.kafka.client import REQUEST_SECONDS, Admin, Connection, words

LOGGER = logging.getLogger(__name__)
OPTION = "message.timestamp.type"
BROKERS_CLOCK = "LogAppendTime"


def use_brokers_clock(admin: Admin, connection: Connection) -> bool:
    """Let the broker state the times of a topic's records from now on; returns whether it does.

    A topic that may not be looked at or altered is taken as it is, with a warning.
    """
    try:
        if _stated(admin, connection) != BROKERS_CLOCK:
            _alter(admin, connection)
            LOGGER.warning(
                "%s: %s was changed to %s; records from now on carry the broker's time", connection.log, OPTION,
                BROKERS_CLOCK,
            )  # fmt: skip
    except (KafkaException, LogError) as error:
        why = words(error) if isinstance(error, KafkaException) else str(error)
        LOGGER.warning(
            "%s: whether its records carry the broker's time cannot be seen to (%s). Times are believed "
            "within a day of the newest one, and further ahead only once they have lasted for a day; set %s=%s",
            connection.log, why, OPTION, BROKERS_CLOCK,
        )  # fmt: skip
        return False
    return True


def _topic(connection: Connection, *entries: ConfigEntry) -> ConfigResource:
    return ConfigResource(ResourceType.TOPIC, connection.topic, incremental_configs=list(entries) or None)


def _stated(admin: Admin, connection: Connection) -> str | None:
    """The topic's option, whoever set it."""
    asked = [_topic(connection)]

    def ask() -> Future[Any]:
        (answer,) = admin.client.describe_configs(asked, request_timeout=REQUEST_SECONDS).values()
        return answer

    found: dict[str, ConfigEntry] = admin.answer(ask, "its options cannot be read")
    return found[OPTION].value if OPTION in found else None


def _alter(admin: Admin, connection: Connection) -> None:
    entry = ConfigEntry(OPTION, BROKERS_CLOCK, incremental_operation=AlterConfigOpType.SET)
    resource = _topic(connection, entry)

    def ask() -> Future[Any]:
        (answer,) = admin.client.incremental_alter_configs([resource], request_timeout=REQUEST_SECONDS).values()
        return answer

    admin.answer(ask, "its options cannot be changed")
