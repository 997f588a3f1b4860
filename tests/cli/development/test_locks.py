"""The two locks agree with each other and with pyproject.toml; what does not is named."""

from __future__ import annotations

import pytest

from cli.development.locks import DEVELOPMENT, PRODUCT, lock_faults, read_pins
from feedback.settings.source import ROOT

PYPROJECT = """
[project]
dependencies = ["click>=8.1", "pyspark[connect]==4.3.0"]
[project.optional-dependencies]
dev = ["ruff==0.17.6"]
"""
PRODUCT_LOCK = (
    "# a comment\nclick==8.3.0 \\\n    --hash=sha256:aa\n    # via heed\npyspark==4.3.0 \\\n    --hash=sha256:bb\n"
)
DEV_LOCK = f"{PRODUCT_LOCK}ruff==0.17.6 \\\n    --hash=sha256:cc\n"


def test_the_locks_of_this_checkout_are_current() -> None:
    texts = [(ROOT / name).read_text() for name in ("pyproject.toml", PRODUCT, DEVELOPMENT)]

    assert lock_faults(*texts) == []
    product, development = (read_pins(text) for text in texts[1:])
    assert {"ruff", "mypy", "pytest", "hypothesis"} <= set(development) - set(product)


@pytest.mark.parametrize(
    ("product", "development", "words"),
    [
        (PRODUCT_LOCK, DEV_LOCK, None),
        (PRODUCT_LOCK, DEV_LOCK.replace("# via heed", "# via somebody"), None),
        (PRODUCT_LOCK.replace("click==8.3.0", "click==7.0"), DEV_LOCK, "requirements.lock holds click 7.0"),
        (PRODUCT_LOCK, DEV_LOCK.replace("click==8.3.0", "click==8.2.0"), "holds another click than"),
        (PRODUCT_LOCK, DEV_LOCK.replace("sha256:bb", "sha256:bd"), "holds another pyspark than"),
        (PRODUCT_LOCK, PRODUCT_LOCK, "requirements-dev.lock holds ruff not at all"),
        (f"--index-url https://host/simple\n{PRODUCT_LOCK}", DEV_LOCK, "names a package index"),
    ],
    ids=["current", "comments", "version", "versions differ", "hashes differ", "no tools", "host"],
)
def test_a_lock_that_is_not_current_is_named(product: str, development: str, words: str | None) -> None:
    faults = lock_faults(PYPROJECT, product, development)

    assert (not faults) if words is None else any(words in fault for fault in faults), faults
