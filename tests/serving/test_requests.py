"""Requests as people and proxies send them: any method, any item id, any body; refused by name where not taken."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest

from feedback.settings.home import load_settings
from lakehouse.lake import open_lake
from lakehouse.tables.feedback import FEEDBACK
from models.bundle.store import BundleStore
from tests.models.test_learning_core import TWELVE, publish_factors
from tests.serving.test_http import served

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("requests")]
ODD = ("a/b", "<b>bold</b>", "gid://shopify/Product/1", "a%2Fb", "50%", ".", "..", "é ☃", "x?y#z&n=1", "/a//b/",
       "a b+c", "a/similar", "[red]")  # fmt: skip
EVENT = b'{"kind":"view","user_id":"u%d","item_id":"i1"}'


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = load_settings(tmp_path_factory.mktemp("home"))
    publish_factors(BundleStore(settings.paths.bundles), (*ODD, *TWELVE))
    open_lake(settings).ensure(FEEDBACK)  # a home where something has landed: the server's start looks into its tables
    with served(settings) as client:
        yield client


def _raw(client: httpx.Client, head: str, body: bytes = b"") -> tuple[int, bytes]:
    """Status and all that comes back, for requests that no client library would send."""
    url = client.base_url
    key = client.headers["Authorization"]
    with socket.create_connection((url.host, url.port or 80), timeout=20) as connection:
        connection.sendall(f"{head}\r\nHost: heed\r\nAuthorization: {key}\r\nConnection: close\r\n\r\n".encode() + body)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return int(answer.split(b" ", 2)[1]), answer


@pytest.mark.parametrize("item_id", ODD)
def test_an_item_is_asked_for_by_path_and_by_parameter_whatever_its_id_holds(
    client: httpx.Client, item_id: str
) -> None:
    status, answer = _raw(client, f"GET /v1/items/{quote(item_id, safe='')}/similar?n=3 HTTP/1.1")
    by_parameter = client.get("/v1/similar", params={"item_id": item_id, "n": 3})

    assert status == 200
    assert by_parameter.json()["item_id"] == item_id
    assert len(by_parameter.json()["items"]) == 3
    assert answer.endswith(by_parameter.content)


@pytest.mark.parametrize("path", ["gid://shopify/Product/1", "a/b", "a/similar", "a b+c".replace(" ", "%20")])
def test_slashes_of_an_id_need_no_encoding(client: httpx.Client, path: str) -> None:
    status, _ = _raw(client, f"GET /v1/items/{path}/similar HTTP/1.1")

    assert status == 200


@pytest.mark.parametrize("item_id", ["no/such", "<b>", "%ff%fe", "i1/x"])
def test_an_unknown_item_is_the_items_404(client: httpx.Client, item_id: str) -> None:
    answer = client.get(f"/v1/items/{quote(item_id, safe='%')}/similar")

    assert answer.status_code == 404
    assert "is not in the current model" in answer.json()["detail"]
    assert client.get("/v1/similar", params={"item_id": item_id}).status_code == 404


def test_what_is_no_path_of_an_item_stays_unknown(client: httpx.Client) -> None:
    for path in ("/v1/items//similar", "/v1/items/i1", "/v1/items/i1/other"):
        assert client.get(path).status_code == 404
    assert client.get("/v1/similar").status_code == 400
    assert client.get("/v1/items/i1/similar/").status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/recommendations?user_id=u",
             "/v1/items/i1/similar", "/v1/items/a%2Fb/similar", "/v1/recommendations", "/nothing"],
)  # fmt: skip
def test_head_is_answered_like_get_without_a_body(client: httpx.Client, path: str) -> None:
    got, head = client.get(path), client.head(path)

    assert head.status_code == got.status_code
    assert head.content == b""
    assert head.headers["content-type"] == got.headers["content-type"]
    if path != "/metrics":  # it has counted one request more
        assert head.headers["content-length"] == got.headers["content-length"]


def test_allow_names_every_method(client: httpx.Client) -> None:
    assert client.options("/healthz").headers["allow"] == "GET, HEAD, OPTIONS"
    assert client.delete("/healthz").headers["allow"] == "GET, HEAD, OPTIONS"
    assert client.options("/v1/feedback").headers["allow"] == "OPTIONS, POST"
    assert client.head("/v1/feedback").status_code == 405


@pytest.mark.parametrize("coding", ["gzip", "zstd", "br", "deflate", "identity, gzip", "GZIP"])
def test_a_compressed_body_is_refused_by_the_name_of_its_coding(client: httpx.Client, coding: str) -> None:
    body = gzip.compress(EVENT % 1)

    answer = client.post(
        "/v1/feedback", content=body, headers={"Content-Encoding": coding, "Content-Type": "application/json"}
    )

    assert answer.status_code == 415
    assert f"Content-Encoding '{coding.lower().removeprefix('identity, ')}'" in answer.json()["detail"]
    assert answer.headers["accept-encoding"] == "identity"


def test_the_coding_that_changes_nothing_is_fine(client: httpx.Client) -> None:
    answer = client.post("/v1/feedback", content=EVENT % 2, headers={"Content-Encoding": "identity"})

    assert answer.status_code == 202


def test_cloudevents_in_binary_mode_are_refused_by_name_and_in_structured_mode_taken(client: httpx.Client) -> None:
    attributes = {"ce-specversion": "1.0", "ce-id": "b-2", "ce-source": "/m", "ce-type": "com.acme.click"}
    envelope = b'{"specversion":"1.0","id":"b-3","source":"/m","type":"view","data":{"user_id":"u9"}}'
    json_type = {"Content-Type": "application/json"}

    binary = client.post("/v1/feedback", content=EVENT % 3, headers={**attributes, **json_type})
    lines = client.post(
        "/v1/feedback", content=EVENT % 3, headers={**attributes, "Content-Type": "application/x-ndjson"}
    )
    enveloped = client.post("/v1/feedback", content=envelope, headers={**attributes, **json_type})
    structured = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
    again = client.post("/v1/feedback", content=envelope, headers={**attributes, **structured})

    assert binary.status_code == lines.status_code == 415
    assert "CloudEvents in binary mode" in binary.json()["detail"]
    assert "structured mode" in binary.json()["remedy"]
    assert enveloped.json()["accepted"] == 1
    assert again.json()["duplicates"] == 1


@pytest.mark.parametrize(
    ("length", "status"),
    [
        ("-1", 400),
        ("abc", 400),
        ("99999999999999", 413),
        ("99999999999999999999999999", 400),
        ("5\r\nContent-Length: 6", 400),
    ],
    ids=["negative", "a word", "terabytes", "no number of 64 bits", "two of them"],
)
def test_an_absurd_content_length_is_refused_and_the_next_request_is_served(
    client: httpx.Client, length: str, status: int
) -> None:
    found, _ = _raw(client, f"POST /v1/feedback HTTP/1.1\r\nContent-Length: {length}", b"{}")

    assert found == status
    assert client.get("/healthz").status_code == 200
