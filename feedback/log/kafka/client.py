"""Kafka clients: the address, librdkafka's options, and readable errors.

The setting `log.options` applies to every client, so TLS and SASL are set once. Options on which exactly-once depends
cannot be set there. Values of options may be secrets and appear in no message.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from feedback.errors import LogError, SettingsError

REQUEST_SECONDS = 10.0
"""How long a broker may take to answer before it counts as unreachable; a restart takes half of it."""

RESERVED = frozenset(
    {
        "acks",
        "auto.offset.reset",
        "bootstrap.servers",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.idempotence",
        "enable.partition.eof",
        "group.id",
        "group.instance.id",
        "group.protocol",
        "heartbeat.interval.ms",
        "metadata.broker.list",
        "partition.assignment.strategy",
        "request.required.acks",
        "session.timeout.ms",
        "transactional.id",
    }
)
"""Options that Heed sets itself: exactly-once and the sharing of partitions rest on them."""

HOPELESS = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError._SSL,
        KafkaError._INVALID_ARG,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.INVALID_SESSION_TIMEOUT,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
    }
)
"""Errors that do not pass by waiting."""

TRANSIENT = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TIMED_OUT,
        KafkaError._TRANSPORT,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.UNKNOWN_LEADER_EPOCH,
    }
)
"""Transient errors of a cluster: a broker starts, a leader is elected."""

SAID_SECONDS = 60.0
"""For how long a repeated message of the client library is suppressed; it logs ten a second while a broker is away."""

MOST_SAID = 1_000

_DIGITS = re.compile(r"\d+")
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_SERVER = re.compile(r"(?:[a-zA-Z0-9._-]+|\[[0-9a-fA-F:]+\]):\d{1,5}")

T = TypeVar("T")


def parse_address(rest: str) -> tuple[str, str]:
    """The servers and the topic of `host:port[,host:port]/topic`.

    Raises:
        SettingsError: It has another form.
    """
    servers, _, topic = rest.partition("/")
    if not all(_SERVER.fullmatch(server) for server in servers.split(",")) or not _TOPIC.fullmatch(topic):
        raise SettingsError(
            f"log_url 'kafka://{rest}': use kafka://host:port[,host:port]/topic, where the topic is made of "
            "letters, digits, '.', '_' and '-'; a user and a password go into log_options"
        )
    return servers, topic


@dataclass
class Complaints:
    """The last error of a client's background threads, to be named in the next exception."""

    last: KafkaError | None = None

    def __call__(self, error: KafkaError) -> None:
        """What librdkafka calls."""
        if self.last is None or self.last.code() not in HOPELESS:
            self.last = error

    @property
    def hopeless(self) -> bool:
        """Whether the error is permanent."""
        return self.last is not None and self.last.code() in HOPELESS

    def __str__(self) -> str:
        return f"; the client says: {words(self.last)}" if self.last is not None else ""


@dataclass(frozen=True)
class Connection:
    """The servers, the topic and the options that all clients of one log share.

    Raises:
        SettingsError: The options name something that Heed sets itself.
    """

    servers: str
    topic: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        taken = sorted(RESERVED & self.options.keys())
        if taken:
            raise SettingsError(f"log_options: {', '.join(taken)} cannot be chosen, Heed sets it itself; leave it out")

    @property
    def log(self) -> str:
        """The log's address as messages name it."""
        return f"feedback log kafka://{self.servers}/{self.topic}"

    def settings(
        self, complaints: Complaints, *, tuned: Mapping[str, Any] | None = None, fixed: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The configuration of one client: what is tuned gives way to the options, what is fixed does not."""
        return {
            "logger": _LIBRARY_LOGGER,
            "reconnect.backoff.max.ms": 1000,  # a broker that is back is found within a second
            **(tuned or {}),
            **self.options,
            **(fixed or {}),
            "bootstrap.servers": self.servers,
            "error_cb": complaints,
        }

    def refusal(self, what: str, error: KafkaException | KafkaError | None, complaints: Complaints) -> LogError:
        """An error in words: what could not be done, where, why."""
        why = f": {words(error)}" if error is not None else ": no answer"
        return LogError(f"{self.log}: {what}{why}{complaints}")


class Admin:
    """Answers of the cluster, waited for within bounds."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._complaints = Complaints()
        try:
            # Kept as long as the log: a client that is freed before its answer gives _DESTROY.
            self.client = AdminClient(connection.settings(self._complaints))
        except KafkaException as error:
            raise SettingsError(f"log_options: {words(error)}") from error

    def answer(self, ask: Callable[[], Future[T]], what: str) -> T:
        """The result of a request.

        Raises:
            KafkaException: The cluster refused; for the caller that knows the codes.
            LogError: Nobody answered in time, or credentials are refused.
        """
        result = patiently(lambda: self._wait(ask(), what), hopeless=lambda: self._complaints.hopeless)
        self._complaints.last = None
        return result

    def answers(self, ask: Callable[[], dict[TopicPartition, Future[T]]], what: str) -> dict[int, T]:
        """The results of a request about several partitions."""

        def all_of_them() -> dict[int, T]:
            return {place.partition: self._wait(future, what) for place, future in ask().items()}

        return patiently(all_of_them, hopeless=lambda: self._complaints.hopeless)

    def _wait(self, future: Future[T], what: str) -> T:
        deadline = time.monotonic() + REQUEST_SECONDS
        while not future.done() and time.monotonic() < deadline and not self._complaints.hopeless:
            self.client.poll(0)  # hear complaints
            wait([future], timeout=0.02)
        if not future.done():
            raise self._connection.refusal(what, None, self._complaints)
        return future.result()

    def refusal(self, what: str, error: KafkaException) -> LogError:
        """An error of this client in words."""
        return self._connection.refusal(what, error, self._complaints)


def patiently(ask: Callable[[], T], *, hopeless: Callable[[], bool]) -> T:
    """An answer, asked for again while the cluster is busy with itself; within `REQUEST_SECONDS`."""
    deadline = time.monotonic() + REQUEST_SECONDS
    while True:
        try:
            return ask()
        except KafkaException as error:
            if code_of(error) not in TRANSIENT or time.monotonic() > deadline or hopeless():
                raise
        time.sleep(0.02)


def words(error: KafkaException | KafkaError) -> str:
    """An error's text and name."""
    inner = error.args[0] if isinstance(error, KafkaException) and error.args else error
    return f"{inner.str()} ({inner.name()})" if isinstance(inner, KafkaError) else str(inner)


def code_of(error: KafkaException) -> int | None:
    """The error code within an exception."""
    inner = error.args[0] if error.args else None
    return inner.code() if isinstance(inner, KafkaError) else None


class _Fewer(logging.Filter):
    """Log filter: drops warnings about options that one kind of client does not know, and repeated messages."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is to be written."""
        text = record.getMessage()
        if text.startswith("CONFWARN"):
            return False
        kind = _DIGITS.sub("0", text)
        if record.created - self._said.get(kind, float("-inf")) < SAID_SECONDS:
            return False
        if len(self._said) >= MOST_SAID:
            self._said.clear()
        self._said[kind] = record.created
        return True


_LIBRARY_LOGGER = logging.getLogger("feedback.librdkafka")
_LIBRARY_LOGGER.addFilter(_Fewer())
