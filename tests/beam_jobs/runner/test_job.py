"""How a runner's failure is reported, and settings of runners that are refused."""

from __future__ import annotations

import pytest

from beam_jobs.landing import drain
from beam_jobs.runner.job import failure_of
from beam_jobs.runner.landed_counts import count_between
from beam_jobs.runner.pipeline_context import PipelineContext
from feedback.errors import LakeError, LogGap, ServiceError, SettingsError
from feedback.intake import open_intake, utc_now
from feedback.log.port import NewRecord
from feedback.settings.home import Settings, override_settings
from lakehouse.lake import open_lake
from tests.support.landing.streaming import ratings

pytestmark = pytest.mark.beam

REMOTE = """Traceback (most recent call last):
  File "sdk_worker.py", line 310, in _execute
    response = task()
feedback.errors.LakeError: an earlier one

During handling of the above exception, another exception occurred:

  File "beam_jobs/source/reader.py", line 160, in refuse_gaps
feedback.errors.LogGap: log 'feedback', partition 2: 7 records are gone [while running 'Read-ptransform-12']

[0m"""


@pytest.mark.parametrize(
    ("error", "failure", "kind", "message"),
    [
        (RuntimeError("x"), LakeError("the stage's own"), LakeError, "the stage's own"),
        (RuntimeError(REMOTE), None, LogGap, "log 'feedback', partition 2: 7 records are gone"),
        (
            RuntimeError("feedback.errors.Code: no error"),
            None,
            ServiceError,
            "runner R failed: feedback.errors.Code: no",
        ),
        (RuntimeError("a\n  job died  \n\n"), None, ServiceError, "landing on the Beam runner R failed: job died"),
        (RuntimeError(""), None, ServiceError, "landing on the Beam runner R failed: RuntimeError"),
    ],
    ids=["known here", "told by a remote worker", "no error of ours", "another's", "without words"],
)
def test_a_failure_is_raised_in_our_words(
    error: Exception, failure: LakeError | None, kind: type[Exception], message: str
) -> None:
    found = failure_of(error, PipelineContext(failure=failure), "R")

    assert type(found) is kind
    assert message in str(found)
    assert "while running" not in str(found)


@pytest.mark.parametrize(
    ("runner", "options", "message"),
    [
        ("NoRunner", [], "Unexpected pipeline runner: NoRunner"),
        ("no.such.Runner", [], "No module named 'no'"),
        ("PortableRunner", ["--job_server_timeout=soon"], "invalid int value: 'soon'"),
        ("FnApiRunner", ["--environment_type"], "expected one argument"),
        ("PortableRunner", [], "You must specify a --job_endpoint"),
    ],
    ids=["unknown name", "unknown class", "wrong value", "no value", "no endpoint"],
)
def test_a_runner_that_cannot_be_is_refused_with_its_settings(
    settings: Settings, runner: str, options: list[str], message: str
) -> None:
    wrong = override_settings(settings, beam_runner=runner, beam_options=options)
    open_intake(settings)

    with pytest.raises(SettingsError, match=r"beam_(runner|options)") as caught:
        drain(wrong)

    assert message in str(caught.value)


def test_a_bug_in_a_stage_of_this_process_stays_what_it_is(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    open_intake(settings).submit(ratings(1))
    monkeypatch.setattr("beam_jobs.sink.deduplicate", broken)

    with pytest.raises(ZeroDivisionError, match="a bug"):
        drain(settings)


def test_counts_from_the_tables_are_those_of_the_embedded_runner(settings: Settings) -> None:
    intake = open_intake(settings)
    lake = open_lake(settings)
    intake.submit(ratings(30))
    start = drain(settings).positions
    assert count_between(lake, start, start) == (0, {})
    assert count_between(lake, {}, start) == (30, {})

    intake.submit(ratings(50, start=30))
    for record in intake.log.read(0, 0, max_events=1_000):
        intake.log.append([NewRecord(0, record.value, record.count)], now=utc_now())
    intake.log.append([NewRecord(1, b"{broken", 1)] * 3, now=utc_now())
    report = drain(settings)

    assert count_between(lake, start, report.positions) == (report.landed, report.codes)
    assert report.codes.get("undecodable") == 3
