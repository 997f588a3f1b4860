"""Convert rows of a file to events for admission; a row that cannot be one gets a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from feedback.contract import KINDS
from feedback.errors import ImportFileError
from feedback.verdicts import Rejected
from gateway.files.cells import CONTEXT, NOTHING, CellFault, Cells, Converter, Note
from gateway.files.columns import ImportPlan
from gateway.files.field_types import IDS, LISTS, NUMBERS, OBJECTS, WHOLE
from gateway.files.kinds import FIELD_OF_KIND, KindRule, kind_of_word

Step = tuple[str, str, Converter, bool]
"""A column, its field, how cells become values, and whether the field belongs to `context`."""

StatedStep = tuple[str, Converter, frozenset[type]]
"""A field, how its value is understood, and the types that the contract takes without that."""

DEFAULT_SOURCE = "import"
FIELDS = {kind: frozenset(struct.__struct_fields__) for kind, struct in KINDS.items()}
SCALED = frozenset(kind for kind, fields in FIELDS.items() if "scale" in fields)
ANY_FIELD: frozenset[str] = frozenset().union(*FIELDS.values())
MAY_BE_EMPTY = frozenset({"title", "description", "url", "image_url", "reason"})
"""Texts that the contract takes empty: in a JSON event they stay, so that its derived id stays."""
MAX_SHAPES = 1_000
MAX_UNKNOWN_WORDS = 1_000
"""Bounds the memory of a file whose column of event types holds something else."""


class RowReader:
    """Turns rows of one file into events.

    `columns` is field -> column. Where rows are events already (they carry `kind` and nothing is mapped) it is None:
    each of their fields is then understood by its name.
    """

    def __init__(self, plan: ImportPlan, columns: Mapping[str, str] | None, cells: Cells, *, nested: bool) -> None:
        self._plan = plan
        self._cells = cells
        self._nested = nested
        self._carried = columns is None
        self._by_row = plan.kind is None or "kind" in (columns or {})
        self._kinds: dict[str, KindRule | None] = {}
        understand = cells.stating if nested else cells.converter
        self._converters: dict[str, Converter] = {name: understand(name) for name in ANY_FIELD | CONTEXT}
        self._shapes: dict[tuple[str, ...], Sequence[Step]] = {}
        self._stated_shapes: dict[tuple[str, ...], Sequence[StatedStep]] = {}
        self._steps: Sequence[Step] = [
            (column, name, cells.converter(name), name in CONTEXT) for name, column in (columns or {}).items()
        ]
        self._constants = {name: self._constant(name, raw) for name, raw in plan.constants.items()}
        source = plan.source or (None if self._carried else DEFAULT_SOURCE)
        self._base: dict[str, Any] = {"source": source} if source else {}
        if plan.kind is not None:
            self._base["kind"] = plan.kind
            if plan.scale is not None:
                self._base["scale"] = list(plan.scale)
            self._base.update({name: value for name, value in self._constants.items() if name not in CONTEXT})
        self._context = {name: value for name, value in self._constants.items() if name in CONTEXT}
        self.unknown_kinds: Counter[str] = Counter()

    def event(self, row: Mapping[str, Any]) -> dict[str, Any] | Rejected:
        """One row as an event; empty cells are left out."""
        event = self._stated(row) if self._carried and self._nested else self._mapped(row)
        if isinstance(event, Rejected):
            return event
        if self._by_row:
            self._name_kind(event)
        elif self._plan.kind == "review":
            self._review_or_rating(event)
        return event

    def _mapped(self, row: Mapping[str, Any]) -> dict[str, Any] | Rejected:
        """The cells of a table's row, or of mapped fields, as the fields that they are."""
        event = dict(self._base)
        context = dict(self._context) if self._context else {}
        for column, name, convert, in_context in self._carried_steps(row) if self._carried else self._steps:
            raw = row.get(column)
            if raw is None or raw == "":
                continue
            try:
                value = convert(raw)
            except CellFault as fault:
                return Rejected(fault.code, str(fault), f"context.{name}" if in_context else name)
            if value is not None:
                (context if in_context else event)[name] = value
        if context:
            own = event.get("context")
            if own is None or isinstance(own, dict):
                event["context"] = {**context, **(own or {})}
        return event

    def _stated(self, row: Mapping[str, Any]) -> dict[str, Any] | Rejected:
        """A JSON event as it is, but for fields that the contract would not take as they are."""
        event = {**self._base, **row}
        for name, convert, plain in self._stated_steps(row):
            raw = row[name]
            if type(raw) in plain:
                continue
            try:
                value = None if raw is None or raw == "" else convert(raw)
            except CellFault as fault:
                return Rejected(fault.code, str(fault), name)
            if value is None:
                event.pop(name)
                if name in self._base:
                    event[name] = self._base[name]
            else:
                event[name] = value
        own = event.get("context")
        if self._context and (own is None or isinstance(own, dict)):
            event["context"] = {**self._context, **(own or {})}
        return event

    def _constant(self, name: str, raw: str) -> Any:  # noqa: ANN401
        try:
            return self._cells.converter(name)(raw)
        except CellFault as fault:
            raise ImportFileError(f"--set {name}={raw}: {fault}") from fault

    def _carried_steps(self, row: Mapping[str, Any]) -> Sequence[Step]:
        """Fields by their own names; those that the contract does not know go on as they are."""
        shape = tuple(row)
        steps = self._shapes.get(shape)
        if steps is None:
            steps = [(name, name, self._converters.get(name, _as_it_is), name in CONTEXT) for name in shape]
            if len(self._shapes) < MAX_SHAPES:
                self._shapes[shape] = steps
        return steps

    def _stated_steps(self, row: Mapping[str, Any]) -> Sequence[StatedStep]:
        """The fields that the contract knows, with the types that need no look."""
        shape = tuple(row)
        steps = self._stated_shapes.get(shape)
        if steps is None:
            steps = [(name, self._converters[name], _plain_types(name)) for name in shape if name in ANY_FIELD]
            if len(self._stated_shapes) < MAX_SHAPES:
                self._stated_shapes[shape] = steps
        return steps

    def _name_kind(self, event: dict[str, Any]) -> None:
        """Give a row the kind that its word means, and what the options say of that kind."""
        word = event.get("kind")
        if not isinstance(word, str):
            return
        rule = self._rule(word)
        if rule is None:
            if word in self.unknown_kinds or len(self.unknown_kinds) < MAX_UNKNOWN_WORDS:
                self.unknown_kinds[word] += 1
            return
        if rule.text != word and self._renamed(event, rule):
            return
        if self._plan.scale is not None and rule.kind in SCALED and "value" in event:
            event.setdefault("scale", list(self._plan.scale))
        for name, value in self._constants.items():
            if name in FIELDS[rule.kind] and name not in CONTEXT:
                event.setdefault(name, value)
        if rule.kind == "review":
            self._review_or_rating(event)

    def _renamed(self, event: dict[str, Any], rule: KindRule) -> bool:
        """Write the kind that a rule names; True where a comment without words became a click on its item."""
        self._cells.notes[Note.KIND_RULE] += 1
        event["kind"] = rule.kind
        if rule.kind == "message" and "text" not in event and "item_id" in event:
            event["kind"] = "click"  # a comment implies that the item was opened
            self._cells.notes[Note.NO_WORDS] += 1
            return True
        if rule.detail:
            event.setdefault(FIELD_OF_KIND[rule.kind], rule.detail)
        return False

    def _rule(self, word: str) -> KindRule | None:
        if word not in self._kinds:
            self._kinds[word] = kind_of_word(word, self._plan.kinds)
            if len(self._kinds) > MAX_UNKNOWN_WORDS:
                return self._kinds.pop(word)
        return self._kinds[word]

    def _review_or_rating(self, event: dict[str, Any]) -> None:
        """A review without text but with stars becomes a rating."""
        if "text" not in event and "value" in event and "scale" in event:
            event["kind"] = "rating"
            self._cells.notes[Note.NO_WORDS] += 1


def _plain_types(name: str) -> frozenset[type]:
    """JSON's types of a field that are taken as they are; ids, times and texts need a look."""
    if name in NUMBERS:
        return frozenset({int} if name in WHOLE else {int, float})
    if name in LISTS or name == "scale":
        return frozenset({list})
    if name in OBJECTS:
        return frozenset({dict, int})
    return frozenset({bool} if name == "available" else {str} if name in MAY_BE_EMPTY else ())


def _as_it_is(raw: Any) -> Any:  # noqa: ANN401
    return raw


def float_id_fields(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Id fields whose every text in these rows is a whole number written as a float, like `42.0`."""
    found = set()
    for name in IDS & columns.keys():
        cells = [cell for row in rows if isinstance(cell := row.get(columns[name]), str)]
        told = [cell for cell in cells if cell.strip().lower() not in NOTHING]
        if told and all(cell.endswith(".0") and cell[:-2].lstrip("-").isdigit() for cell in told):
            found.add(name)
    return frozenset(found)
