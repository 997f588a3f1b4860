"""`heed signals`: the newest live windows, as they stand in the online store."""

from __future__ import annotations

from typing import Any

import click

from cli.options import home_command
from cli.output import Output
from feedback.settings import Settings

COLUMNS = ("window", "key", "events", "people", "positive", "negative", "rating", "NPS", "CSAT", "late", "state")


@click.command()
@click.option("--window", default="1m", show_default=True, metavar="10s|1m|1h", help="Length of the windows.")
@click.option("--scope", default="all", show_default=True, metavar="item|section|all", help="What windows are of.")
@click.option("--key", help="Only this item or section.")
@click.option(
    "--windows", default=10, show_default=True, type=click.IntRange(1, 10_000), help="How many, newest first."
)
@click.option("--rows", default=20, show_default=True, type=click.IntRange(1, 10_000), help="Busiest keys per window.")
@home_command
def signals(
    settings: Settings, output: Output, window: str, scope: str, key: str | None, windows: int, rows: int
) -> None:
    """Show live windows: events, people, shares, mean rating, NPS and CSAT."""
    from lakehouse.open_online import open_window_store
    from lakehouse.signals import newest_windows
    from lakehouse.windows import scope_named, size_named

    size, named = size_named(window), scope_named(scope)
    store = open_window_store(settings)
    try:
        found = newest_windows(store, size, named, key=key, windows=windows, keys=rows).to_dicts()
    finally:
        store.close()
    for record in found:
        output.emit({name: value for name, value in record.items() if value or not name.startswith("n_")})
    if not found:
        why = "" if settings.signals else "; they are switched off (setting `signals`)"
        output.say(f"no window of {window} by {scope} yet{why}: `heed land` counts events as they land")
        return
    output.table("", COLUMNS, (_cells(record) for record in found), numbers=9)


def _cells(record: dict[str, Any]) -> tuple[object, ...]:
    start, end = record["window_start"], record["window_end"]
    shares = [_percent(record[name]) for name in ("positive_share", "negative_share")]
    rating = None if record["mean_rating"] is None else f"{record['mean_rating']:.2f}"
    nps = None if record["nps"] is None else f"{record['nps']:+.0f}"
    state = "final" if record["final"] else "open"
    when = f"{start:%Y-%m-%d %H:%M:%S} - {end:%H:%M:%S}"
    counts = (record["events"], record["people"])
    return (
        when,
        record["key"] or "all",
        *counts,
        *shares,
        rating,
        nps,
        _percent(record["csat"]),
        record["late"],
        state,
    )


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.0%}"
