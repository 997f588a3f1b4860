"""The same landing on a second runner: Prism, with the stages in this process and in another one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import pytest

from beam_jobs.landing import drain, stream
from beam_jobs.pipeline import build_landing, drain_source, open_pipeline, stream_source
from beam_jobs.runner.job import run_job
from beam_jobs.runner.pipeline_context import PipelineContext, registered
from feedback.errors import LogGap, ServiceError
from feedback.intake import open_intake, utc_now
from feedback.log.port import NewRecord
from feedback.settings.home import Settings, override_settings
from feedback.settings.source import ROOT
from tests.support.kafka_server import Broker
from tests.support.landing.streaming import (
    SOON_SECONDS,
    eventually,
    first_event_seconds,
    holds,
    landed,
    ratings,
    streaming,
)
from tests.support.prism_runner import prism_or_skip
from tests.support.prism_server import Prism

pytestmark = [pytest.mark.beam, pytest.mark.prism, pytest.mark.xdist_group("kafka"), pytest.mark.timeout(1500)]

EMPTY_SECONDS = 3.0


def on(prism: Prism, settings: Settings, *options: str) -> Settings:
    """The settings of landing on Prism; nothing but settings. Jobs outlive the time that a job server has to answer."""
    return override_settings(
        settings,
        beam_runner="PortableRunner",
        beam_options=[*(options or prism.options), "--job_server_timeout=2"],
        landing_bundle_seconds=0.1,
    )


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
def prism_settings(request: pytest.FixtureRequest, settings: Settings, prism: Prism, tmp_path: Path) -> Settings:
    if request.param == "kafka":
        broker: Broker = request.getfixturevalue("kafka_broker")
        settings = override_settings(settings, log_url=f"kafka://{broker.address}/{tmp_path.name}")
    return on(prism, settings)


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[list[str]]:
    """Another process that runs the stages; yields Beam's options for it."""
    command = [sys.executable, str(ROOT / "tests" / "support" / "landing" / "worker_pool_child.py")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as pool:
        assert pool.stdout is not None
        address = pool.stdout.readline().strip()
        assert address, "the worker pool did not start"
        yield ["--environment_type=EXTERNAL", f"--environment_config={address}"]
        pool.kill()


def test_drains_land_everything_once_and_report_it(prism_settings: Settings) -> None:
    intake = open_intake(prism_settings)
    intake.submit(ratings(300))
    intake.log.append([NewRecord(0, b"{broken", 1)], now=utc_now())

    first = drain(prism_settings)
    intake.submit(ratings(20, start=300))
    second = drain(prism_settings)

    assert (first.landed, first.quarantined, first.codes) == (300, 1, {"undecodable": 1})
    assert (second.landed, second.quarantined, second.duplicates) == (20, 0, 0)
    assert first.events_per_second > 0
    assert landed(prism_settings) == sorted(f"r{n}" for n in range(320))
    assert holds(prism_settings)


def test_a_stream_lands_everything_once_and_stops_in_order(prism_settings: Settings) -> None:
    intake = open_intake(prism_settings)

    with streaming(prism_settings) as stop:
        for start in range(0, 200, 10):
            intake.submit(ratings(10, start=start))
        eventually(lambda: len(landed(prism_settings)) == 200)
        stopped_at = stop()

    assert stopped_at < SOON_SECONDS
    assert landed(prism_settings) == sorted(f"r{n}" for n in range(200))
    assert drain(prism_settings).landed == 0
    assert holds(prism_settings)


def test_a_source_that_starts_empty_lands_its_first_event_within_a_second(
    settings: Settings, prism: Prism, record_property: object
) -> None:
    seconds = first_event_seconds(on(prism, settings), empty_seconds=EMPTY_SECONDS)

    assert seconds < 1.0


def test_stages_in_another_process_land_the_same_and_a_stop_cancels_the_job(
    settings: Settings, prism: Prism, elsewhere: list[str]
) -> None:
    remote = on(prism, settings, f"--job_endpoint={prism.endpoint}", *elsewhere)
    intake = open_intake(remote)
    intake.submit(ratings(100))
    assert drain(remote).landed == 100

    with streaming(remote) as stop:
        for start in (100, 125):
            intake.submit(ratings(25, start=start))
            eventually(lambda upto=start + 25: len(landed(remote)) == upto)
        stopped_at = stop()

    assert stopped_at < SOON_SECONDS
    intake.submit(ratings(10, start=150))
    assert drain(remote).landed == 10
    assert holds(remote)


def test_an_error_of_ours_keeps_its_words_from_another_process(
    settings: Settings, prism: Prism, elsewhere: list[str]
) -> None:
    open_intake(settings).submit(ratings(50))
    drain(settings)
    Path(settings.log.url.removeprefix("sqlite:///")).unlink()
    open_intake(settings)

    with pytest.raises(LogGap, match="it was made anew") as here:
        drain(on(prism, settings))
    remote = on(prism, settings, f"--job_endpoint={prism.endpoint}", *elsewhere)
    with pytest.raises(LogGap) as there:
        drain(remote)
    with pytest.raises(LogGap):
        stream(remote, threading.Event())

    assert str(there.value) == str(here.value)


def test_a_runner_that_is_not_there_is_an_error_with_its_name(settings: Settings) -> None:
    nowhere = override_settings(
        settings,
        beam_runner="PortableRunner",
        beam_options=["--job_endpoint=127.0.0.1:9", "--environment_type=LOOPBACK", "--job_server_timeout=1"],
    )

    with pytest.raises(ServiceError, match=r"PortableRunner.*does not answer"):
        drain(nowhere)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # of Beam's, as its peer dies
def test_a_stream_outlives_its_runner(settings: Settings, tmp_path: Path) -> None:
    with prism_or_skip(tmp_path / "prism") as mine:
        remote = on(mine, settings)
        intake = open_intake(remote)
        with streaming(remote) as stop:
            intake.submit(ratings(10))
            eventually(lambda: len(landed(remote)) == 10)

            mine.kill()
            intake.submit(ratings(10, start=10))
            stop()

    drain(settings)
    assert landed(settings) == sorted(f"r{n}" for n in range(20))
    assert holds(settings)


class Write(beam.DoFn):
    """Appends a line for every element, wherever the stage runs."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def process(self, element: object) -> None:
        with self._file.open("a", encoding="utf-8") as lines:
            lines.write(f"{element}\n")


def test_a_stage_behind_the_commit_sees_every_batch(settings: Settings, prism: Prism, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    remote = on(prism, settings)
    intake = open_intake(remote)
    context = PipelineContext()

    with registered(context) as context_id:
        pipeline = open_pipeline(remote.beam, streaming=True)
        counts = build_landing(pipeline, stream_source(remote, context_id), remote, context_id) | beam.Map(
            lambda batch: batch.events.height
        )
        _ = counts | "Seen" >> beam.ParDo(Write(seen))
        job = threading.Thread(
            target=run_job, args=(pipeline, context, context_id), kwargs={"runner": "PortableRunner"}
        )
        job.start()
        for start in range(0, 100, 10):
            intake.submit(ratings(10, start=start))
            eventually(lambda upto=start + 10: total(seen) == upto)
        context.stop.set()
        job.join(30)

    assert not job.is_alive()
    assert total(seen) == 100


def test_a_drain_gives_every_batch_to_a_stage_behind_the_commit(
    settings: Settings, prism: Prism, tmp_path: Path
) -> None:
    remote = on(prism, settings)
    open_intake(remote).submit(ratings(40))
    with registered(PipelineContext()) as context_id:
        pipeline = open_pipeline(remote.beam, streaming=False)
        committed = build_landing(pipeline, drain_source(remote, context_id), remote, context_id)
        _ = committed | beam.Map(lambda batch: batch.events.height) | beam.ParDo(Write(tmp_path / "seen"))
        run_job(pipeline, PipelineContext(), context_id, runner="PortableRunner")

    assert total(tmp_path / "seen") == 40


def total(file: Path) -> int:
    """The sum of the numbers in a file."""
    return sum(map(int, file.read_text(encoding="utf-8").split())) if file.exists() else 0
