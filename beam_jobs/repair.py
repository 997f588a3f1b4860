"""Repair a quarantined line with a user's function: the line to replay, or the reason why the row stays."""

from __future__ import annotations

import logging
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from feedback.errors import UsageError
from lakehouse.landed.replays import Place

LOGGER = logging.getLogger(__name__)

Repair = Callable[[dict[str, Any]], object]
"""`repair(event) -> dict | None`: the repaired event in its admitted form, or `None` to leave the row where it is."""

FUNCTION = "repair"
FORMER_FUNCTION = "mend"
"""What files written for earlier releases call it."""
_JSON_TEXT_FIELDS = ("attributes", "payload")


class Left(msgspec.Struct, frozen=True):
    """Why a row stays in quarantine."""

    reason: str


def load_repair(path: Path) -> Repair:
    """The function `repair` of a Python file, or the one that an earlier release called `mend`.

    Raises:
        UsageError: The file is missing, does not run, or defines no such function.
    """
    if not path.is_file():
        raise UsageError(f"--repair {path}: there is no such file")
    try:
        defined = runpy.run_path(str(path))
    except Exception as error:  # the file is the caller's own code
        raise UsageError(f"--repair {path} does not run: {_words(error)}") from error
    repair = defined.get(FUNCTION, defined.get(FORMER_FUNCTION))
    if not callable(repair):
        raise UsageError(f"--repair {path} defines no function; write `def repair(event: dict) -> dict | None`")
    if FUNCTION not in defined:
        LOGGER.warning(
            "%s: the function `%s` is called `%s` now; the old name still works", path, FORMER_FUNCTION, FUNCTION
        )
    return repair  # type: ignore[no-any-return]


def repaired_line(raw: str, place: Place, repair: Repair | None) -> bytes | Left:
    """The line to append for a quarantined row.

    `repair` gets the fields of the line, or `{"raw": text}` where the line is no JSON object. An event that has no id
    gets one that names the row's place, so that repeating a replay repeats the id.
    """
    event = _fields(raw)
    if repair is None:
        if event is None or event.get("id"):
            return raw.encode()
        repaired: object = event
    else:
        try:
            repaired = repair({"raw": raw} if event is None else event)
        except Exception as error:  # one row that it cannot repair is no reason to stop
            return Left(f"repair raised {_words(error)}")
        if repaired is None:
            return Left("repair left it")
    if not isinstance(repaired, dict):
        return Left(f"repair returned {type(repaired).__name__}, not an event as a dict or None")
    return _encoded(repaired, place)


def _encoded(event: dict[str, Any], place: Place) -> bytes | Left:
    if not event.get("id"):
        event = {**event, "id": "replay-" + "-".join(map(str, place))}
    try:
        texts = {name: _json_text(event[name]) for name in _JSON_TEXT_FIELDS if isinstance(event.get(name), dict)}
        return msgspec.json.encode({**event, **texts})
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return Left(f"repair returned what cannot be written as JSON: {error}")


def _json_text(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode()


def _fields(raw: str) -> dict[str, Any] | None:
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
