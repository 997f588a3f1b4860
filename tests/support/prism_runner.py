"""The Prism runner of a test session: a real one, or the reason why there is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.prism_server import Prism, PrismMissing, prism_runner


@pytest.fixture(scope="session")
def prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prism]:
    """One Prism for all tests marked `prism`; the group of that name keeps them in one worker of xdist."""
    with prism_or_skip(tmp_path_factory.mktemp("prism")) as runner:
        yield runner


@contextmanager
def prism_or_skip(folder: Path) -> Iterator[Prism]:
    """A Prism of the caller's own; where it cannot be built the test is skipped, and fails in CI."""
    with ExitStack() as stack:
        try:
            runner = stack.enter_context(prism_runner(folder))
        except PrismMissing as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(f"no Prism here: {error}")
        yield runner
