"""`heed recommend USER`: a person's list in the terminal, or one line per user of a file."""

from __future__ import annotations

from pathlib import Path

import click

from cli.options import home_command
from cli.output import Output
from cli.plain_text import one_line
from feedback.errors import UsageError
from feedback.settings.home import Settings
from lakehouse.subject_key import verify_subject_key


@click.command()
@click.argument("user", required=False)
@click.option("--users", type=click.Path(path_type=Path), help="A file with one raw user id a line.")
@click.option("--n", type=click.IntRange(1, 1000), help="How many items.")
@home_command
def recommend(settings: Settings, output: Output, user: str | None, users: Path | None, n: int | None) -> None:
    """Print a person's list with titles and reasons; ids are given as they were ingested."""
    if (user is None) == (users is None):
        raise UsageError("heed recommend: name one USER, or a file with --users FILE")
    from serving.service import open_service

    verify_subject_key(settings)
    service = open_service(settings, watch=False)
    try:
        for raw_id in [user] if user is not None else _read_users(users):
            served = service.recommend(service.subject_of(str(raw_id)), n or settings.serving.list_length)
            output.emit({"user_id": raw_id, "items": [item.item_id for item in served.items], **_rest(served)})
            if output.as_json:
                continue
            output.say()
            output.say(one_line(f"{raw_id}: {served.note}"), style="bold")
            rows = [(place, item.title, item.item_id, item.reason) for place, item in enumerate(served.items, 1)]
            output.table("", ("", "item", "id", "why"), rows)
    finally:
        service.close()


def _rest(served: object) -> dict[str, object]:
    names = ("source", "note", "known_items", "model_version")
    return {name: getattr(served, name) for name in names} | {"list": getattr(served, "items", ())}


def _read_users(path: Path | None) -> list[str]:
    assert path is not None
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise UsageError(f"--users {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--users {path}: not UTF-8 text at byte {error.start}") from error
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise UsageError(f"--users {path}: the file names no user; write one raw user id a line")
    return found
