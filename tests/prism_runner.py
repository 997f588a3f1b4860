"""The Prism runner of a test session: a real one, or the reason why there is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bench.prism_runner import Prism, PrismMissing, prism_runner


@pytest.fixture(scope="session")
def prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prism]:
    """One Prism for all tests marked `prism`; the group of that name keeps them in one worker of xdist."""
    with ExitStack() as stack:
        try:
            runner = stack.enter_context(prism_runner(tmp_path_factory.mktemp("prism")))
        except PrismMissing as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(f"no Prism here: {error}")
        yield runner
