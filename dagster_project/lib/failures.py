"""Which failures are permanent: a retry helps with a busy table or a moved position, never with a broken contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from feedback.errors import (
    ContractViolation,
    HeedError,
    HomeError,
    JavaMissing,
    LearningError,
    LogGap,
    TableMissing,
    UsageError,
)

FINAL: tuple[type[HeedError], ...] = (
    ContractViolation, HomeError, JavaMissing, LearningError, LogGap, TableMissing, UsageError,
)  # fmt: skip

RETRY_STORAGE = dg.RetryPolicy(max_retries=2, delay=2.0, backoff=dg.Backoff.EXPONENTIAL)
"""For steps that commit to a table: another writer, or a transient error of an object store."""


def is_final(error: BaseException) -> bool:
    """Whether the same step would fail the same way again."""
    return isinstance(error, FINAL)


@contextmanager
def clear_failures() -> Iterator[None]:
    """Turn permanent errors into a failure that is not retried and has the error's message as its description."""
    try:
        yield
    except HeedError as error:
        if not is_final(error):
            raise
        raise dg.Failure(
            description=str(error), metadata={"error": type(error).__name__}, allow_retries=False
        ) from error
