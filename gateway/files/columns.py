"""Column maps of a file import: which column holds which field of the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from feedback.contract import KINDS, Context
from feedback.errors import ImportFileError
from gateway.files.kinds import parse_rule

_CONTEXT = frozenset(Context.__struct_fields__)
DRY_RUN = "`heed ingest FILE --dry-run` proposes a map"


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """How rows become events.

    Attributes:
        kind: The kind of every row; `None` if the rows carry it.
        columns: Contract field by name of the file's column; empty takes columns that are named like fields.
        scale: Lowest and highest possible `value`.
        constants: Fields with the same value in every row.
        list_separator: Separates the members of a list in one cell.
        source: What to note as source; by default `import`, and nothing where rows are events already.
        separator: Separates the cells of a text file; by default its ending decides.
        names: Column names of a text file without a header.
        kinds: Kind by type of event, for a column of types that is mapped to `kind`: VIEW -> view, reaction:like …
        time_form: How text times are written, for `strptime`; by default ISO.
        keep_null_words: Take words like NULL as they are, not as empty.
    """

    kind: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    scale: tuple[float, float] | None = None
    constants: Mapping[str, str] = field(default_factory=dict)
    list_separator: str = "|"
    source: str | None = None
    separator: str | None = None
    names: Sequence[str] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)
    time_form: str | None = None
    keep_null_words: bool = False


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
    for rule in plan.kinds.values():
        parse_rule(rule)
    fields = _fields_of(plan.kind)
    if fields is None:
        return
    for option, names in (("--map", plan.columns), ("--set", plan.constants)):
        for name in names:
            if name not in fields:
                known = f"it has {', '.join(sorted(fields))}"
                raise ImportFileError(f"{option} {name}=…: a {plan.kind} has no field {name!r}; {known}")


def resolve_columns(plan: ImportPlan, present: Sequence[str], *, where: str) -> dict[str, str]:
    """Field -> column for one file.

    Raises:
        ImportFileError: A mapped column is not in the file, or no column is a field.
    """
    if plan.columns:
        missing = {name: column for name, column in plan.columns.items() if column not in present}
        if missing:
            words = ", ".join(f"{column!r} (for {name})" for name, column in missing.items())
            raise ImportFileError(f"{where}: no column {words}; the file has {_listed(present)}; {DRY_RUN}")
        return dict(plan.columns)
    fields = _fields_of(plan.kind) or frozenset(present)
    found = {name: name for name in present if name in fields or name == "kind"}
    if not found:
        raise ImportFileError(
            f"{where}: none of its columns {_listed(present)} is a field of the contract; "
            f"name them with --map field=column; {DRY_RUN}"
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
                f"{where}: no column says what kind of feedback it is; give --kind, like --kind rating, "
                f"or --map kind=COLUMN for a column of event types; {DRY_RUN}"
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
    raise ImportFileError(f"{where}: a {plan.kind} needs {'; and '.join(words)}; {DRY_RUN}")


def _fields_of(kind: str | None) -> frozenset[str] | None:
    if kind is None:
        return None
    own = set(KINDS[kind].__struct_fields__) - {"v", "context", "attributes", "scale"}
    return frozenset(own | _CONTEXT)


def _listed(names: Sequence[str]) -> str:
    """Names of columns for a message, at most a few."""
    shown = ", ".join(repr(name[:80]) for name in names[:30])
    return f"{shown} and {len(names) - 30} more" if len(names) > 30 else shown
