"""A few hundred events with a plain structure: two kinds of people, two kinds of items."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from feedback.intake import open_intake
from feedback.settings.home import Settings, ensure_home
from feedback.verdicts import VerdictCounts, count_verdicts

START = datetime(2026, 1, 1, tzinfo=UTC)
USERS, ITEMS = 60, 40


def generated_events(*, seed: int = 1) -> Iterator[dict[str, Any]]:
    """A catalogue of even and odd items; even people like the even ones, odd people the odd ones."""
    random_ = random.Random(seed)
    for item in range(ITEMS):
        category = "odd" if item % 2 else "even"
        yield {
            "kind": "item",
            "item_id": f"item-{item}",
            "title": f"Item {item}",
            "categories": [category],
            "occurred_at": START.isoformat(),
            "released_at": "2020-01-01T00:00:00Z",
        }
    for user in range(USERS):
        own = [item for item in range(ITEMS) if item % 2 == user % 2]
        other = [item for item in range(ITEMS) if item % 2 != user % 2]
        for item in [*random_.sample(own, 12), *random_.sample(other, 2)]:
            yield {
                "id": f"{user}-{item}",
                "kind": "rating",
                "user_id": f"user-{user}",
                "item_id": f"item-{item}",
                "value": 5 if item in own else 1,
                "scale": [1, 5],
                "occurred_at": (START + timedelta(minutes=random_.randrange(50_000))).isoformat(),
            }


def send(settings: Settings, events: Iterator[dict[str, Any]]) -> VerdictCounts:
    """Send events through the gateway's own admission."""
    ensure_home(settings)
    return count_verdicts(open_intake(settings).submit(events))
