"""Column maps of a file import: which column of a file is which field of the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from feedback.contract import KINDS, Context
from feedback.errors import ImportFileError

_CONTEXT = frozenset(Context.__struct_fields__)
_TEXT = frozenset({"id", "user_id", "anonymous_id", "item_id", "order_id", "survey_id", "question_id", "decision_id"})
_LISTS = frozenset({"categories", "tags", "choices", "consent", "items", "granted", "denied"})
_NUMBERS = frozenset({"value", "quantity", "price", "seconds", "depth", "results"})
_TIMES = frozenset({"occurred_at", "released_at"})
_MILLISECONDS_FROM = 100_000_000_000
"""A unix time above this is in milliseconds: as seconds it would lie beyond the year 5000."""


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """How rows become events.

    Attributes:
        kind: The kind of every row; `None` if the rows carry it.
        columns: Contract field by name of the file's column; empty takes columns that are named like fields.
        scale: Lowest and highest possible `value`.
        constants: Fields with the same value in every row.
        list_separator: What parts the members of a list in one cell.
        source: What to note as source.
    """

    kind: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    scale: tuple[float, float] | None = None
    constants: Mapping[str, str] = field(default_factory=dict)
    list_separator: str = "|"
    source: str = "import"
    separator: str | None = None
    names: Sequence[str] = ()


def check_plan(plan: ImportPlan) -> None:
    """Refuse a plan that no row could satisfy.

    Raises:
        ImportFileError: The kind is unknown, a field is not one of the kind's, or the scale is no scale.
    """
    if plan.kind is not None and plan.kind not in KINDS:
        raise ImportFileError(f"--kind {plan.kind!r} is unknown; the contract knows {', '.join(KINDS)}")
    if plan.scale is not None and not plan.scale[0] < plan.scale[1]:
        low, high = plan.scale
        raise ImportFileError(f"--scale {low:g},{high:g} must run from low to high, like 0.5,5")
    fields = _fields_of(plan.kind)
    if fields is None:
        return
    for name in (*plan.columns, *plan.constants):
        if name not in fields:
            raise ImportFileError(
                f"--map {name}=…: a {plan.kind} has no field {name!r}; it has {', '.join(sorted(fields))}"
            )


def resolve_columns(plan: ImportPlan, present: Sequence[str], *, where: str) -> dict[str, str]:
    """Field -> column for one file.

    Raises:
        ImportFileError: A mapped column is not in the file, or no column is a field.
    """
    if plan.columns:
        missing = {name: column for name, column in plan.columns.items() if column not in present}
        if missing:
            words = ", ".join(f"{column!r} (for {name})" for name, column in missing.items())
            raise ImportFileError(f"{where}: no column {words}; the file has {', '.join(map(repr, present))}")
        return dict(plan.columns)
    fields = _fields_of(plan.kind) or frozenset(present)
    found = {name: name for name in present if name in fields or name == "kind"}
    if not found:
        raise ImportFileError(
            f"{where}: none of its columns {', '.join(map(repr, present))} is a field of the contract; "
            "name them with --map field=column"
        )
    return found


def check_fields(plan: ImportPlan, columns: Mapping[str, str], *, where: str) -> None:
    """Refuse a file whose every row would lack what its kind needs.

    Raises:
        ImportFileError: No kind, no person, or a field that the kind needs is neither a column nor given.
    """
    given = {*columns, *plan.constants, *(("scale",) if plan.scale else ())}
    if plan.kind is None:
        if "kind" not in given:
            raise ImportFileError(
                f"{where}: no column says what kind of feedback it is; give --kind, like --kind rating"
            )
        return
    kind = KINDS[plan.kind]
    needed = [field.name for field in msgspec.structs.fields(kind) if field.required and field.name not in given]
    if kind.needs_subject and not given & {"user_id", "anonymous_id"}:
        needed.append("user_id")
    if not needed:
        return
    words = [
        "its scale: give --scale LOW,HIGH, like --scale 0.5,5"
        if name == "scale"
        else f"{name}: give --map {name}=COLUMN, or --set {name}=VALUE"
        for name in needed
    ]
    raise ImportFileError(f"{where}: a {plan.kind} needs {'; and '.join(words)}")


def row_event(row: Mapping[str, Any], columns: Mapping[str, str], plan: ImportPlan) -> dict[str, Any]:
    """One row as an event, ready for admission; empty cells are left out."""
    event: dict[str, Any] = {"source": plan.source}
    context: dict[str, Any] = {}
    if plan.kind is not None:
        event["kind"] = plan.kind
    if plan.scale is not None:
        event["scale"] = list(plan.scale)
    for name, raw in (*plan.constants.items(), *((name, row.get(column)) for name, column in columns.items())):
        if raw is None or raw == "":
            continue
        (context if name in _CONTEXT else event)[name] = _cell(name, raw, plan)
    if context:
        event["context"] = {**context, **event.get("context", {})}
    return event


def _cell(name: str, raw: Any, plan: ImportPlan) -> Any:  # noqa: ANN401 - a cell is what the file holds
    if name in _TIMES:
        return time_of(raw)
    if not isinstance(raw, str):
        return str(raw) if name in _TEXT else raw
    if name in _LISTS:
        return [part.strip() for part in raw.split(plan.list_separator) if part.strip()]
    if name in _NUMBERS or name == "position":
        return _number(raw)
    if name == "available":
        return raw.strip().lower() in ("1", "true", "yes", "t", "y")
    return raw


def time_of(raw: Any) -> Any:  # noqa: ANN401
    """Unix seconds or milliseconds, or an ISO time (without a zone it is UTC), as the contract wants it."""
    if isinstance(raw, datetime):
        return raw if raw.tzinfo else raw.replace(tzinfo=UTC)
    try:
        number = float(raw)
    except (TypeError, ValueError):
        number = None
    try:
        if number is not None:
            return datetime.fromtimestamp(number / 1000 if abs(number) >= _MILLISECONDS_FROM else number, UTC)
        moment = datetime.fromisoformat(str(raw).strip())
    except (ValueError, OverflowError, OSError):
        return raw  # admission says what is wrong with it
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(raw: str) -> float | int | str:
    try:
        value = float(raw)
    except ValueError:
        return raw  # admission says what is wrong with it
    return int(value) if value.is_integer() and "." not in raw and "e" not in raw.lower() else value


def _fields_of(kind: str | None) -> frozenset[str] | None:
    if kind is None:
        return None
    own = set(KINDS[kind].__struct_fields__) - {"v", "context", "attributes", "scale"}
    return frozenset(own | _CONTEXT)
