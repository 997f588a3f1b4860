"""The Kafka broker of a test session: a real one, or the reason why there is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from feedback.errors import JavaMissing
from tests.support.kafka_server import Broker, KafkaMissing, broker


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One broker for all tests marked `kafka`; the group of that name keeps them in one worker of xdist."""
    with ExitStack() as stack:
        try:
            node = stack.enter_context(broker(tmp_path_factory.mktemp("kafka")))
        except (JavaMissing, KafkaMissing) as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(f"no Kafka broker here: {error}")
        yield node
