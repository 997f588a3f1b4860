"""`heed windows`: the newest live windows of the online store."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import click

from cli.options import home_command
from cli.output import Output
from feedback.settings.home import Settings

ALWAYS = ("from (UTC)", "key", "events", "people", "state")
COLUMNS = ("from (UTC)", "key", "events", "people", "good", "bad", "rating", "NPS", "CSAT", "late", "state")
"""Those that are empty throughout are left out, but for `ALWAYS`."""


@click.command()
@click.option("--window", default="1m", show_default=True, metavar="10s|1m|1h", help="Length of the windows.")
@click.option("--scope", default="all", show_default=True, metavar="item|section|all", help="What windows are of.")
@click.option("--key", help="Only this item or section.")
@click.option(
    "--windows", "count", default=10, show_default=True, type=click.IntRange(1, 10_000), help="How many, newest first."
)
@click.option("--rows", default=20, show_default=True, type=click.IntRange(1, 10_000), help="Busiest keys per window.")
@home_command
def windows(
    settings: Settings, output: Output, window: str, scope: str, key: str | None, count: int, rows: int
) -> None:
    """Show live windows: events, people, shares, mean rating, NPS and CSAT."""
    from lakehouse.window_rows import scope_named, size_named
    from online.open import open_online_store, open_window_store
    from online.windows import newest_windows

    size, named = size_named(window), scope_named(scope)
    store, people = open_window_store(settings.online), open_online_store(settings.online)
    try:
        canonical = people.canonical()
        found = newest_windows(store, size, named, key=key, windows=count, keys=rows, canonical=canonical).to_dicts()
    finally:
        store.close()
        people.close()
    for record in found:
        output.emit({name: value for name, value in record.items() if value or not name.startswith("n_")})
    if not found:
        why = "" if settings.windows.enabled else "; they are switched off (setting `windows.enabled`)"
        output.say(f"no window of {window} by {scope} yet{why}: `heed land` counts events as they land")
        return
    shown = [_cells(record) for record in found]
    used = [name for name in COLUMNS if name in ALWAYS or any(cells[name] not in (None, 0) for cells in shown)]
    output.table("", used, ([cells[name] for name in used] for cells in shown), numbers=len(used) - 2)


def _cells(record: dict[str, Any]) -> dict[str, object]:
    start: datetime = record["window_start"]
    exact = "%Y-%m-%d %H:%M:%S" if record["window_end"] - start < timedelta(minutes=1) else "%Y-%m-%d %H:%M"
    return {
        "from (UTC)": start.strftime(exact),
        "key": record["key"] or "all",
        "events": record["events"],
        "people": record["people"],
        "good": _percent(record["positive_share"]),
        "bad": _percent(record["negative_share"]),
        "rating": None if record["mean_rating"] is None else f"{record['mean_rating']:.2f}",
        "NPS": None if record["nps"] is None else f"{record['nps']:+.0f}",
        "CSAT": _percent(record["csat"]),
        "late": record["late"],
        "state": "final" if record["final"] else "open",
    }


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.0%}"
