"""No answer names a path, an address or a stack of the server, whatever breaks; the log does, under the same number."""

from __future__ import annotations

import io
import logging
import re
import shutil
from collections.abc import Callable, Iterator

import msgspec
import pytest
from litestar import Litestar, get
from litestar.testing import TestClient

from feedback import errors
from feedback.errors import AccessDenied, HeedError
from feedback.settings.home import Settings
from models.bundle.store import BundleStore
from server.app import create_app
from tests.conftest import NOW
from tests.models.test_learning_core import publish_factors
from web.api_keys import ApiKeys
from web.problem import WrongRequest, plain_words, problem_response

EVENT = {"kind": "view", "user_id": "u1", "item_id": "i1"}
Break = Callable[[Settings], None]


def _damage_the_bundle(settings: Settings) -> None:
    store = BundleStore(settings.paths.bundles)
    version = publish_factors(store)
    (settings.paths.bundles / version / "popularity.npy").write_bytes(b"x")


def _damage_the_pointer(settings: Settings) -> None:
    version = publish_factors(BundleStore(settings.paths.bundles))
    shutil.rmtree(settings.paths.bundles / version)


def _damage_the_log(settings: Settings) -> None:
    for path in settings.paths.home.glob("feedback-log.db*"):
        path.write_bytes(b"no database " * 1000)


def _damage_the_online_store(settings: Settings) -> None:
    for path in settings.paths.home.glob("online.db*"):
        path.write_bytes(b"no database " * 1000)


def _damage_the_keys(settings: Settings) -> None:
    settings.paths.api_keys_file.write_text("{")


@pytest.fixture
def ask(settings: Settings) -> Callable[[Break, Break, str, str], tuple[int, str]]:
    """Answers of an app that broke before or after its start."""

    def ask(before: Break, after: Break, method: str, path: str) -> tuple[int, str]:
        key = ApiKeys(settings.paths.api_keys_file).create("test", ("admin",), now=NOW)
        before(settings)
        headers = {"Authorization": f"Bearer {key}"}
        with TestClient(create_app(settings), raise_server_exceptions=False) as client:
            if after is not _nothing:
                after(settings)
            answer = client.request(method, path, headers=headers, json=EVENT if method == "POST" else None)
        return answer.status_code, answer.text

    return ask


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What the log says; Litestar's own set-up takes pytest's handler off."""
    told = io.StringIO()
    handler = logging.StreamHandler(told)
    logging.getLogger("heed.web").addHandler(handler)
    yield told
    logging.getLogger("heed.web").removeHandler(handler)


def _nothing(_: Settings) -> None:
    pass


def _publish(settings: Settings) -> None:
    publish_factors(BundleStore(settings.paths.bundles))


@pytest.mark.parametrize(
    ("before", "after", "method", "path", "words"),
    [
        (_nothing, _nothing, "GET", "/v1/recommendations?user_id=u", "no model has been published yet"),
        (_nothing, _nothing, "GET", "/readyz", "no model has been published yet"),
        (_damage_the_bundle, _nothing, "GET", "/v1/recommendations?user_id=u", "the published model cannot be loaded"),
        (_damage_the_bundle, _nothing, "GET", "/readyz", "the published model cannot be loaded"),
        (_damage_the_pointer, _nothing, "GET", "/v1/similar?item_id=i1", "the published model cannot be loaded"),
        (_nothing, _damage_the_log, "POST", "/v1/feedback", "the feedback log cannot be used now"),
        (_publish, _damage_the_online_store, "GET", "/v1/recommendations?user_id=u", "does not answer"),
        (_publish, _damage_the_online_store, "GET", "/readyz", "does not answer"),
        (_nothing, _damage_the_keys, "GET", "/v1/recommendations?user_id=u", "went wrong inside Heed"),
    ],
    ids=["no model", "not ready", "bundle", "bundle, not ready", "pointer", "log", "online store",
         "online store, not ready", "keys"],
)  # fmt: skip
def test_whatever_breaks_no_answer_names_a_path(
    ask: Callable[..., tuple[int, str]],
    settings: Settings,
    logged: io.StringIO,
    before: Break,
    after: Break,
    method: str,
    path: str,
    words: str,
) -> None:
    status, text = ask(before, after, method, path)

    assert status in (500, 503), text
    assert words in text
    assert settings.home not in text
    assert not re.search(r"\.npy|\.db|\.json|Traceback|sqlite", text), text
    incident = msgspec.json.decode(text).get("incident")
    assert incident is None or f"incident {incident}: {method} {path[:5]}" in logged.getvalue()
    assert incident is not None or path == "/readyz"


SECRET = "/srv/heed/home/keys/subjects.key"
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HeedError)]


@pytest.mark.parametrize("kind", [*KINDS, OSError, ValueError], ids=lambda kind: kind.__name__)
def test_no_error_that_was_not_made_for_clients_tells_its_own_words(kind: type[Exception], logged: io.StringIO) -> None:
    @get("/", sync_to_thread=False)
    def broken() -> None:
        raise kind(f"{SECRET} cannot be read")

    app = Litestar([broken], exception_handlers={Exception: problem_response}, logging_config=None)
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/")

    if issubclass(kind, AccessDenied):
        return
    assert answer.status_code >= 500
    assert SECRET not in answer.text
    assert SECRET in logged.getvalue()
    assert answer.json()["detail"] == plain_words(kind())
    assert f"incident {answer.json()['incident']}" in logged.getvalue()


def test_an_error_made_for_the_client_keeps_its_words_and_headers() -> None:
    @get("/", sync_to_thread=False)
    def refuses() -> None:
        raise WrongRequest(415, "this is wrong", "that is right", headers={"Accept-Encoding": "identity"})

    app = Litestar([refuses], exception_handlers={Exception: problem_response}, logging_config=None)
    with TestClient(app) as client:
        answer = client.get("/")

    assert answer.status_code == 415
    assert answer.json()["detail"] == "this is wrong"
    assert answer.json()["remedy"] == "that is right"
    assert answer.headers["accept-encoding"] == "identity"
    assert "incident" not in answer.json()
