"""Live windows computed plainly: a loop over events, dictionaries and sets; shares no code with the columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from feedback.preference_rules import signal_of

SINCE = datetime(1970, 1, 1, tzinfo=UTC)
LENGTHS = (10, 60, 3600)
Window = tuple[int, int, str, str]
"""Length, start (s since 1970), scope, key."""


def windows(events: Iterable[Mapping[str, Any]], *, lateness: timedelta) -> dict[Window, dict[str, Any]]:
    """Tallies other than zero, and `people` as a set, by window."""
    tallies: dict[Window, Counter[str]] = {}
    people: dict[Window, set[str]] = {}
    for event in events:
        for length in LENGTHS:
            start = floor(event["occurred_at"], length)
            if event["appended_at"] < SINCE + timedelta(seconds=start + length) + lateness:
                for scope, key in places(event):
                    window = (length, start, scope, key)
                    tallies.setdefault(window, Counter()).update(counts(event))
                    if event["subject"] is not None:
                        people.setdefault(window, set()).add(event["subject"])
            else:
                tallies.setdefault((length, floor(event["appended_at"], length), "all", ""), Counter())["late"] += 1
    return {
        window: {**{name: n for name, n in found.items() if n}, "people": people.get(window, set())}
        for window, found in tallies.items()
    }


def floor(time: datetime, length: int) -> int:
    return (time - SINCE) // timedelta(seconds=length) * length


def places(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    named = [("item", event["item_id"]), ("section", event["section"])]
    return [("all", ""), *((scope, key) for scope, key in named if key is not None)]


def counts(event: Mapping[str, Any]) -> Counter[str]:
    kind, label, value = event["kind"], event["label"], event["value"]
    low, high = event["scale_min"], event["scale_max"]
    found: Counter[str] = Counter(["events", f"n_{kind}"])
    said = signal_of(kind, value, scale_min=low, scale_max=high, label=label)
    if said is not None:
        found["opinions"] += 1
        found["positive"] += said.amount > 0
        found["negative"] += said.amount < 0
    if kind in ("rating", "review") and value is not None and low is not None:
        found["ratings"] += 1
        found["rating_millionths"] += round((value - low) / (high - low) * 1_000_000)
    if kind == "survey" and label == "nps" and value is not None:
        name = "nps_promoters" if value >= 9 else "nps_passives" if value >= 7 else "nps_detractors"
        found[name] += 1
    if kind == "survey" and label == "csat" and value is not None:
        low, high = (1, 5) if low is None else (low, high)
        found["csat_answered"] += 1
        found["csat_satisfied"] += (value - low) / (high - low) >= 0.75
    return found
