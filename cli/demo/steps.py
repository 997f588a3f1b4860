"""What the demo sends: every rating and film once, some of them again, some of them broken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cli.demo.movielens import DemoData, load_demo_data
from cli.output import Output
from feedback.intake import open_intake
from feedback.settings.home import Settings
from feedback.verdicts import NO_VERDICTS, VerdictCounts, count_verdicts

BATCH = 5_000
REPEATED = 5_000
BROKEN = 500


def load_demo(settings: Settings, output: Output, *, small: bool = False) -> tuple[DemoData, VerdictCounts]:
    """Fetch the data and send it through the gateway's intake; the verdicts, added up."""
    with output.progress("fetching MovieLens 100k"):
        data = load_demo_data(settings.paths.cache, small=small)
    if small or data.name != "MovieLens 100k":
        output.say(f"MovieLens 100k is not used here: {data.name} stand in; figures will be poorer.", style="yellow")
    share = len(data.ratings) / 100_000
    again = data.ratings[: max(50, int(REPEATED * share))]
    broken = list(break_events(data.ratings[: max(20, int(BROKEN * share))]))
    everything = [*data.items, *data.ratings, *again, *broken]
    intake = open_intake(settings)
    counts = NO_VERDICTS
    try:
        with output.progress("sending feedback", total=len(everything)) as bar:
            for start in range(0, len(everything), BATCH):
                counts = counts + count_verdicts(intake.submit(everything[start : start + BATCH]))
                bar.to(counts.sent, total=len(everything))
    finally:
        intake.log.close()
    return data, counts


def break_events(events: list[dict[str, Any]]) -> Iterator[dict[str, Any] | bytes]:
    """The same events, each broken in one of ten ways that occur in practice."""
    breaks: list[dict[str, Any]] = [
        {"value": 9.0},
        {"value": "five"},
        {"item_id": ""},
        {"user_id": None},
        {"kind": "raiting"},
        {"occurred_at": "04.12.1997"},
        {"occurred_at": "2099-01-01T00:00:00Z"},
        {"scale": [5, 1]},
        {"consent": ["analytics"]},
    ]
    for number, event in enumerate(events):
        way = number % (len(breaks) + 1)
        yield b'{"kind": "rating", "user_id": ' if way == len(breaks) else {**event, **breaks[way]}
