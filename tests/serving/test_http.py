"""The HTTP API as a real process on loopback."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import polars as pl
import pytest

from cli.demo.demo import free_port
from feedback.settings.home import Settings, load_settings
from feedback.settings.source import ROOT
from feedback.subjects import Pseudonyms, load_or_create_key
from lakehouse.tables.feedback import FEEDBACK
from models.bundle.store import BundleStore
from online.open import open_online_store
from tests.conftest import NOW
from tests.lakehouse.rows import rows
from tests.models.test_learning_core import publish
from web.api_keys import ApiKeys

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("http")]
READY_SECONDS = 60
RATING = {"kind": "rating", "user_id": "anna", "item_id": "i1", "value": 5, "scale": [1, 5]}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(tmp_path_factory.mktemp("home"))


@contextmanager
def served(settings: Settings) -> Iterator[httpx.Client]:
    """A client of `heed serve` on a home; the server ends in order."""
    key = ApiKeys(settings.paths.api_keys_file).create("test", ("feedback:write", "recommendations:read"), now=NOW)
    port = free_port()
    command = [sys.executable, "-m", "cli", "serve", "--home", settings.home, "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key}"}) as client:
            _until(lambda: client.get("/healthz").status_code == 200)
            yield client
    finally:
        process.terminate()
        assert process.wait(20) == 0


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[httpx.Client]:
    with served(settings) as client:
        yield client


def _until(condition) -> None:  # noqa: ANN001
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    pytest.fail("the condition was not met in time")


def test_before_the_first_model_a_list_is_a_503_that_names_the_command(
    client: httpx.Client, settings: Settings
) -> None:
    assert BundleStore(settings.paths.bundles).current_version() is None

    answer = client.get("/v1/recommendations", params={"user_id": "anna"})

    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert "heed run" in answer.json()["detail"]
    assert client.get("/readyz").status_code == 503


@pytest.mark.parametrize(
    ("body", "content_type", "counts"),
    [
        (b'{"kind":"view","user_id":"1"}', "application/json", (1, 0, 0)),
        (
            b'[{"kind":"view","id":"a","user_id":"2"},{"kind":"view","id":"a","user_id":"2"},{"kind":"poke"}]',
            "application/json",
            (1, 1, 1),
        ),
        (b'{"kind":"view","user_id":"3"}\n{broken\n', "application/x-ndjson", (1, 0, 1)),
        (
            b'{"specversion":"1.0","id":"1","source":"s","type":"view","data":{"user_id":"4"}}',
            "application/cloudevents+json",
            (1, 0, 0),
        ),
    ],
    ids=["one", "array", "lines", "cloudevent"],
)
def test_every_record_of_every_body_form_gets_a_verdict(
    client: httpx.Client, body: bytes, content_type: str, counts: tuple[int, int, int]
) -> None:
    answer = client.post("/v1/feedback", content=body, headers={"Content-Type": content_type})

    told = answer.json()
    assert answer.status_code == 202
    assert (told["accepted"], told["duplicates"], told["rejected"]) == counts
    assert [verdict["index"] for verdict in told["verdicts"]] == list(range(sum(counts)))


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "/v1/feedback", b"", 400),
        ("POST", "/v1/feedback", b"[1,", 400),
        ("POST", "/v1/feedback", b"{}", 422),
        ("GET", "/v1/recommendations", None, 400),
        ("GET", "/v1/recommendations?user_id=1&n=0", None, 400),
        ("GET", "/v1/recommendations?user_id=1&n=5000", None, 400),
        ("GET", "/nothing", None, 404),
        ("DELETE", "/v1/feedback", None, 405),
    ],
)
def test_wrong_requests_are_told_what_is_wrong(
    client: httpx.Client, method: str, path: str, content: bytes | None, status: int
) -> None:
    answer = client.request(method, path, content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code == status
    assert status == 422 or answer.json()["status"] == status


@pytest.mark.parametrize(
    ("content_type", "body", "status", "words"),
    [
        ("application/json", b'{"kind":"review","text":"' + b"x" * 10_000_000 + b'"}', 422, "too_large"),
        ("application/json", b'{"kind":' + b"[" * 10_000 + b"]" * 10_000 + b"}", 422, "not_json"),
        ("application/json", b"[" * 10_000 + b"]" * 10_000, 400, "nested too deeply|not valid JSON"),
        ("application/x-ndjson", b"{}\n" * 1_000_000, 413, "50,000 records"),
        ("application/json", b"[" + b"{}," * 1_000_000 + b"{}]", 413, "50,000 records"),
        ("application/json", b" " * 17_000_000, 413, "Too Large|too large|Entity"),
    ],
    ids=["10 MB record", "10,000 deep", "deep array", "a million lines", "a million elements", "17 MB body"],
)
def test_giants_are_refused_quickly_and_the_next_request_is_served(
    client: httpx.Client, content_type: str, body: bytes, status: int, words: str
) -> None:
    answer = client.post("/v1/feedback", content=body, headers={"Content-Type": content_type}, timeout=10)

    assert answer.status_code == status, answer.text[:300]
    assert re.search(words, answer.text)
    assert client.post("/v1/feedback", json={**RATING, "user_id": "bert"}).status_code == 202


def test_without_a_key_nobody_gets_in(client: httpx.Client) -> None:
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer wrong"}):
        assert client.post("/v1/feedback", json=RATING, headers=headers).status_code == 401
    assert httpx.get(f"{client.base_url}/healthz").status_code == 200


def test_the_api_describes_itself(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]

    assert {"/v1/feedback", "/v1/recommendations", "/v1/items/{item_id}/similar"} <= set(paths)
    assert b"heed_verdicts_total" in client.get("/metrics").content


def test_a_new_bundle_is_taken_over_and_new_feedback_changes_the_list(client: httpx.Client, settings: Settings) -> None:
    version = publish(BundleStore(settings.paths.bundles))
    _until(lambda: client.get("/readyz").status_code == 200)

    before = client.get("/v1/recommendations", params={"user_id": "anna"}).json()
    subject = Pseudonyms(load_or_create_key(settings.paths.subject_key_file)).subject_of("anna")
    event = {"subject": subject, "item_id": before["items"][0]["item_id"], "id": "1", "log_offset": 0, "value": 5.0}
    frame = pl.from_arrow(rows(FEEDBACK, {**event, "scale_min": 1.0, "scale_max": 5.0}))
    assert isinstance(frame, pl.DataFrame)
    open_online_store(settings.online).push(frame, {0: 1})
    after = client.get("/v1/recommendations", params={"user_id": "anna"}).json()

    assert before["model_version"] == version
    assert before["source"] == "popular"
    assert before["items"][0] not in after["items"]
    assert after["known_items"] == 1


def test_the_http_process_imports_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys, server.app, server.process; "
        "heavy = {'pyspark', 'apache_beam', 'dagster', 'great_expectations', 'mlflow', 'pandas'} & set(sys.modules); "
        "sys.exit(', '.join(sorted(heavy)))"
    )

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stderr.strip() == ""
