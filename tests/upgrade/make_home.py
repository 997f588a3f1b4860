"""Write the fixture of a home as this release leaves it: `python -m tests.upgrade.make_home sqlite|kafka FOLDER`.

Run it on the release whose homes are to be kept, before anything changes. It writes `<log>.tar.xz`: the home, the files
that were ingested, what the home answered then (`expected.json`) and, for Kafka, the broker's data.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.kafka_server import broker

PEOPLE, ITEMS, GROUPS = 90, 60, 3
FIRST_DAY = datetime(2026, 9, 1, tzinfo=UTC)
TOPIC = "feedback"


def write_files(folder: Path) -> None:
    """What a shop has: ratings with taste, a catalogue, and events of many kinds as JSON lines."""
    draw = random.Random(13)
    ratings = ["user_id,item_id,value,occurred_at"]
    pairs: list[tuple[int, int]] = []
    for person in range(PEOPLE):
        own = [item for item in range(ITEMS) if item % GROUPS == person % GROUPS]
        others = [item for item in range(ITEMS) if item % GROUPS != person % GROUPS]
        pairs += [(person, item) for item in (*draw.sample(own, 12), *draw.sample(others, 3))]
    draw.shuffle(pairs)
    for number, (person, item) in enumerate(pairs):
        likes = person % GROUPS == item % GROUPS
        value = draw.choice((4, 5)) if likes else draw.choice((1, 2))
        at = FIRST_DAY + timedelta(minutes=60 * number)
        ratings.append(f"u{person},i{item:02},{value},{at.isoformat()}")
    (folder / "ratings.csv").write_text("\n".join(ratings) + "\n", encoding="utf-8")
    items = ["item_id,title,categories,price,currency"]
    items += [f"i{n:02},Thing {n:02},{('red', 'green', 'blue')[n % GROUPS]},{n + 0.5},EUR" for n in range(ITEMS)]
    (folder / "items.csv").write_text("\n".join(items) + "\n", encoding="utf-8")
    at = (FIRST_DAY + timedelta(days=60)).isoformat()
    events = [
        {"kind": "review", "user_id": "u1", "item_id": "i01", "text": "Fits well", "value": 5, "scale": [1, 5]},
        {"kind": "click", "user_id": "u1", "item_id": "i02", "occurred_at": at, "color": "red"},
        {"kind": "purchase", "user_id": "u2", "item_id": "i05", "order_id": "o-1", "price": 5.5, "id": "p-1"},
        {"kind": "consent", "user_id": "u3", "denied": ["personalization"]},
        {"kind": "view", "anonymous_id": "a1", "item_id": "i03", "occurred_at": at},
        {"kind": "identify", "user_id": "u4", "anonymous_id": "a1", "occurred_at": at},
        {"kind": "survey", "user_id": "u5", "metric": "nps", "value": 9, "id": "s-1"},
        {"kind": "reaction", "user_id": "u6", "item_id": "i07", "reaction": "dislike"},
        {"kind": "hide", "user_id": "u6", "item_id": "i08", "id": "h-1", "occurred_at": at},
        {"kind": "rating", "user_id": "u7", "item_id": "i09", "value": 9, "scale": [1, 5]},
    ]
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")


def heed(home: Path, *arguments: str) -> list[dict[str, object]]:
    """Run one command on the home; returns its JSON lines."""
    command = [sys.executable, "-m", "cli", *arguments, "--home", str(home), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{command} ended with {done.returncode}: {done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def make(log: str, target: Path) -> None:
    """Build one home and pack it."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        home, files = work / "home", work / "files"
        files.mkdir()
        home.mkdir(mode=0o700)
        write_files(files)
        if log == "kafka":
            node = stack.enter_context(broker(work / "broker"))
            os.environ["HEED_LOG_URL"] = f"kafka://{node.address}/{TOPIC}"
        else:
            (home / "heed.toml").write_text("dedup_window_days = 30\n", encoding="utf-8")
        answers: dict[str, object] = {
            "made_at": str(home),
            "ratings": heed(
                home, "ingest", str(files / "ratings.csv"), "--kind", "rating", "--scale", "1,5",
                "--map", "user_id=user_id,item_id=item_id,value=value,occurred_at=occurred_at",
            ),
            "items": heed(home, "ingest", str(files / "items.csv"), "--kind", "item"),
            "first_run": heed(home, "run"),
            "events": heed(home, "ingest", str(files / "events.jsonl")),
            "second_run": heed(home, "run"),
            "audit": heed(home, "audit"),
            "list": heed(home, "recommend", "u1"),
        }  # fmt: skip
        (work / "expected.json").write_text(json.dumps(answers, indent=1), encoding="utf-8")
        if log == "kafka":
            node.stop()
        for folder in ("data-docs", "run"):
            shutil.rmtree(home / folder, ignore_errors=True)
        names = ["home", "files", "expected.json", *(["broker/data"] if log == "kafka" else [])]
        target.mkdir(parents=True, exist_ok=True)
        with tarfile.open(target / f"{log}.tar.xz", "w:xz", preset=9) as archive:
            for name in names:
                archive.add(work / name, arcname=name)


if __name__ == "__main__":
    make(sys.argv[1], Path(sys.argv[2]))
