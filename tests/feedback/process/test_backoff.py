from __future__ import annotations

from feedback.process.backoff import Backoff


def test_waits_double_up_to_the_longest_and_start_anew_after_a_reset() -> None:
    backoff = Backoff(0.25, 2.0)

    assert [backoff.failed(10.0) for _ in range(5)] == [0.25, 0.5, 1.0, 2.0, 2.0]
    assert not backoff.is_due(11.9)
    assert backoff.is_due(12.0)

    backoff.reset()

    assert backoff.is_due(0.0)
    assert backoff.failed(10.0) == 0.25


def test_the_thousandth_failure_still_waits_the_longest() -> None:
    backoff = Backoff(0.25, 60.0)

    assert [backoff.failed(0.0) for _ in range(2_000)][-1] == 60.0
