"""`heed demo`: the whole loop on real ratings, in a home of its own that is made afresh each time."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from cli.demo.chapters import CHAPTERS, DEFAULT_CHAPTER, Stage, find_chapter
from cli.demo.home import fresh_home
from cli.demo.steps import load_demo
from cli.learning.run import run_and_show
from cli.output import Output
from feedback.errors import ServiceError
from feedback.intake import utc_now
from feedback.settings.home import Settings
from feedback.verdicts import VerdictCounts
from server.public_key import WARNING
from web.api_keys import ApiKeys

DEFAULT_HOME = "~/.heed-demo"
KEY_NAME = "demo"
LOOPBACK = "127.0.0.1"
READY_SECONDS = 60.0
LIKED = 5


@click.command(epilog="\b\nChapters:\n" + "\n".join(f"  {name:10}{c.what}" for name, c in CHAPTERS.items()))
@click.argument("chapter", default=DEFAULT_CHAPTER)
@click.option("--home", metavar="DIR", help=f"The demo's home, made afresh each time  [default: {DEFAULT_HOME}]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, for programs.")
@click.option("--small", is_flag=True, help="Use the 1,501 ratings that ship inside pyspark; needs no network.")
def demo(chapter: str, home: str | None, as_json: bool, small: bool) -> int:
    """Feedback in, a changed list out: MovieLens 100k through the whole loop, or another CHAPTER."""
    show = find_chapter(chapter)
    output = Output(as_json=as_json)
    settings = fresh_home(Path(home or os.environ.get("HEED_DEMO_HOME", DEFAULT_HOME)).expanduser().absolute())
    code = show(Stage(settings, output, small))
    output.heading("Chapters of the demo")
    output.table("", ("", ""), [(f"./heed demo {name}", c.what) for name, c in CHAPTERS.items()])
    return code


def loop(stage: Stage) -> int:
    """The whole loop: feedback comes in, is landed, checked and learned from, is served and changes a list."""
    settings, output = stage.settings, stage.output
    started = time.perf_counter()
    output.heading("1. Feedback comes in")
    data, counts = load_demo(settings, output, small=stage.small)
    show_counts(counts, output)
    output.heading("2. The loop: land, check, learn, judge, publish")
    summary = run_and_show(settings, output)
    accounting(settings, counts, output)
    output.emit({"step": "loop", "data": data.name, "verdicts": counts, "summary": summary})
    if not summary.success or summary.published_version is None:
        return 1
    output.heading("3. Served, and changed by what the customer says next")
    with serving(settings) as (port, key):
        milliseconds = talk_to_customer(port, key, output, customer=str(data.ratings[0]["user_id"]))
    seconds = time.perf_counter() - started
    output.emit(
        {"step": "done", "published_version": summary.published_version, "changed_ms": milliseconds, "seconds": seconds}
    )
    output.say(f"\nThe whole demo took {seconds:.0f} s. Its home is {settings.home}; look around with")
    home = shlex.quote(settings.home)
    output.verbatim(f"  ./heed up --home {home}\n  ./heed audit --home {home}")
    output.say(WARNING, style="yellow")
    return 0


def show_counts(counts: VerdictCounts, output: Output) -> None:
    """The verdicts by code."""
    rows: list[tuple[str, str, int]] = [("accepted", "", counts.accepted)]
    for code, number in sorted(counts.codes.items(), key=lambda pair: -pair[1]):
        rows.append(("duplicate" if code == "duplicate" else "rejected", "" if code == "duplicate" else code, number))
    output.table("", ("verdict", "code", "records"), [*rows, ("sent", "", counts.sent)], numbers=1)


def accounting(settings: Settings, counts: VerdictCounts, output: Output) -> None:
    """Both sums, from the verdicts and from the tables."""
    from lakehouse.lake import open_lake
    from lakehouse.landed.audit import audit
    from lakehouse.landed.continuity import open_landed_log

    log = open_landed_log(settings)
    report = audit(open_lake(settings), log.name, bounds=log.bounds())
    log.close()
    stored = report.landed + report.quarantined + report.duplicates
    output.heading("Accounting")
    rows = [
        ("sent = accepted + duplicates + rejected", f"{counts.sent:,}",
         f"{counts.accepted:,} + {counts.duplicates:,} + {counts.rejected:,}"),
        ("accepted = landed + quarantined", f"{counts.accepted:,}",
         f"{report.landed:,} + {report.quarantined + report.duplicates:,}"),
        ("audit of the tables", "holds" if report.holds else "FAILS", f"{stored:,} rows, {report.fault_count} faults"),
    ]  # fmt: skip
    output.table("", ("", "", ""), rows)
    if not report.holds or stored != counts.accepted:
        raise ServiceError("the accounting does not add up; `heed audit` names each gap and double")


@contextlib.contextmanager
def serving(settings: Settings) -> Iterator[tuple[int, str]]:
    """The HTTP API and the landing stream as processes of their own; yields port and API key."""
    port = free_port()
    keys = ApiKeys(settings.paths.api_keys_file)
    key = keys.create(KEY_NAME, ("admin",), now=utc_now())
    heed = [sys.executable, "-m", "cli"]
    settings.paths.run_folder.mkdir(parents=True, exist_ok=True)
    commands = {
        "web": [*heed, "serve", "--home", settings.home, "--host", LOOPBACK, "--port", str(port)],
        "landing": [*heed, "land", "--stream", "--home", settings.home],
    }
    with contextlib.ExitStack() as stack:
        running = []
        for name, command in commands.items():
            log = stack.enter_context((settings.paths.run_folder / f"{name}.log").open("wb"))
            running.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))
        try:
            yield port, key
        finally:
            for process in running:
                process.send_signal(signal.SIGTERM)
            for process in running:
                process.wait()
            keys.revoke(KEY_NAME)  # nobody was shown its secret: `heed up` makes one that people see


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def talk_to_customer(port: int, key: str, output: Output, *, customer: str) -> float:
    """Show a list, rate five films over HTTP, wait for the changed list; milliseconds from accepted to changed."""
    import httpx

    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key}"}) as client:
        _await_ready(client)
        who = {"user_id": customer}
        before = _list(client, who)
        _show(f"Customer {customer}: {before['note']}", before, output)
        _warm_up(client)
        chosen = [item["item_id"] for item in before["items"][-LIKED:]]
        ratings = [
            {"kind": "rating", "user_id": customer, "item_id": item, "value": 5 if n % 2 == 0 else 1, "scale": [1, 5]}
            for n, item in enumerate(chosen)
        ]
        answer = client.post("/v1/feedback", json=ratings)
        accepted_at = time.perf_counter()
        answer.raise_for_status()
        verdicts = msgspec.json.decode(answer.content)
        after = _until_changed(client, who, before)
        milliseconds = (time.perf_counter() - accepted_at) * 1000
        output.say(
            f"\nThe customer rates {len(chosen)} of them, three with 5 and two with 1: {verdicts['accepted']} accepted"
        )
        _show(f"{milliseconds:.0f} ms later their list is", after, output)
    return milliseconds


def _warm_up(client: Any) -> None:  # noqa: ANN401 - an httpx client, imported only where it is used
    """Wait until the landing stream is up: one visitor's click has to come through."""
    click_event = {"kind": "click", "anonymous_id": "visitor", "item_id": "1", "id": "warm-up"}
    client.post("/v1/feedback", json=click_event).raise_for_status()
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if _list(client, {"anonymous_id": "visitor"})["known_items"] == 1:
            return
        time.sleep(0.05)
    raise ServiceError("the landing stream did not come up; see run/landing.log in the demo's home")


def _await_ready(client: Any) -> None:  # noqa: ANN401
    import httpx

    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if client.get("/readyz").status_code == 200:
                return
        time.sleep(0.1)
    raise ServiceError("the HTTP API did not come up; see run/web.log in the demo's home")


def _list(client: Any, who: dict[str, str]) -> dict[str, Any]:  # noqa: ANN401
    answer = client.get("/v1/recommendations", params={**who, "n": 10})
    answer.raise_for_status()
    found: dict[str, Any] = msgspec.json.decode(answer.content)
    return found


def _until_changed(client: Any, who: dict[str, str], before: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    old = [item["item_id"] for item in before["items"]]
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        now = _list(client, who)
        if [item["item_id"] for item in now["items"]] != old:
            return now
        time.sleep(0.005)
    raise ServiceError("the list did not change; see run/landing.log in the demo's home")


def _show(title: str, served: dict[str, Any], output: Output) -> None:
    rows = [(place, item["title"], item["reason"]) for place, item in enumerate(served["items"], 1)]
    output.table(title, ("", "film", "why"), rows)
