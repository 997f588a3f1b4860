"""Mending: a quarantined line and a person's function give the line that goes through landing again, or a reason."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from feedback.errors import UsageError
from lakehouse.landed.replays import Place

Mend = Callable[[dict[str, Any]], object]
"""`mend(event) -> dict | None`: the mended event in its admitted form, or `None` to leave the row where it is."""

FUNCTION = "mend"
_JSON_TEXT_FIELDS = ("attributes", "payload")


class Left(msgspec.Struct, frozen=True):
    """Why a row stays in quarantine."""

    reason: str


def load_mend(path: Path) -> Mend:
    """The function `mend` of a Python file.

    Raises:
        UsageError: The file is missing, does not run, or defines no such function.
    """
    if not path.is_file():
        raise UsageError(f"--mend {path}: there is no such file")
    try:
        mend = runpy.run_path(str(path)).get(FUNCTION)
    except Exception as error:  # the file is the caller's own code
        raise UsageError(f"--mend {path} does not run: {_words(error)}") from error
    if not callable(mend):
        raise UsageError(f"--mend {path} defines no function; write `def mend(event: dict) -> dict | None`")
    return mend  # type: ignore[no-any-return]


def mended_line(raw: str, place: Place, mend: Mend | None) -> bytes | Left:
    """The line to append for a quarantined row.

    `mend` gets the fields of the line, or `{"raw": text}` where the line is no JSON object. An event that has no id
    gets one that names the row's place, so that repeating a replay repeats the id.
    """
    event = _fields(raw)
    if mend is None:
        if event is None or event.get("id"):
            return raw.encode()
        mended: object = event
    else:
        try:
            mended = mend({"raw": raw} if event is None else event)
        except Exception as error:  # one row that it cannot mend is no reason to stop
            return Left(f"mend raised {_words(error)}")
        if mended is None:
            return Left("mend left it")
    if not isinstance(mended, dict):
        return Left(f"mend returned {type(mended).__name__}, not an event as a dict or None")
    return _encoded(mended, place)


def _encoded(event: dict[str, Any], place: Place) -> bytes | Left:
    if not event.get("id"):
        event = {**event, "id": "replay-" + "-".join(map(str, place))}
    try:
        texts = {name: _json_text(event[name]) for name in _JSON_TEXT_FIELDS if isinstance(event.get(name), dict)}
        return msgspec.json.encode({**event, **texts})
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return Left(f"mend returned what cannot be written as JSON: {error}")


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
