"""Admit: check the contract in columns, for producers that bypass the gateway.

The rules are derived from the contract's structs. The clock is the log's own timestamp, so a retry decides the same.
`payload` and `attributes` are JSON text; each distinct text is parsed once.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import get_args

import polars as pl
from msgspec import inspect

from beam_jobs.batch import Batch
from beam_jobs.stages.times import judge_times
from feedback.admitted import COLUMN_OF_FIELD, AdmittedEvent
from feedback.bounds import DEFAULT_MAX_FUTURE
from feedback.contract import KINDS, SURVEY_SCALES, Consent, Context, Event, Purpose, Survey
from feedback.errors import Code
from feedback.fields.payloads import attributes_objection, needs_payload, payload_objection
from feedback.subjects import SUBJECT_LENGTH

_COLUMNS = frozenset(AdmittedEvent.__struct_fields__)
_LOOSE = frozenset({"id", "user_id", "anonymous_id", "occurred_at", "consent", "attributes", "context"})


def admit(batch: Batch, *, max_future: timedelta = DEFAULT_MAX_FUTURE) -> Batch:
    """Reject events that violate the contract, each with the first violation as its reason."""
    batch = judge_times(batch, max_future=max_future)
    if batch.events.is_empty():
        return batch
    present = batch.events["kind"].unique().drop_nulls().to_list()
    rules = [
        *_common_rules(),
        *(_consent_rules() if batch.events["consent"].null_count() < batch.events.height else ()),
        *(rule for kind in sorted(present) if kind in KINDS for rule in kind_rules(kind)),
    ]
    reasons = batch.events.select(
        pl.coalesce(*(pl.when(broken).then(pl.lit(words)) for words, broken in rules), pl.lit(None, pl.String)).alias(
            "r"
        )
    )["r"]
    batch = batch.refuse(reasons, Code.CONTRACT_BROKEN)
    objections = _text_objections(batch.events)
    return batch if objections is None else batch.refuse(objections, Code.CONTRACT_BROKEN)


def _text_objections(events: pl.DataFrame) -> pl.Series | None:
    """What is wrong with the JSON of `payload` or `attributes`, row by row (null: nothing); `None` if nothing is."""
    needing = [kind for kind in KINDS if needs_payload(kind)]
    has_text = pl.col("payload").is_not_null() | pl.col("attributes").is_not_null() | pl.col("kind").is_in(needing)
    rows = events.with_row_index("row").filter(has_text).select("row", "kind", "label", "payload", "attributes")
    reasons: dict[int, str] = {}
    judged: dict[tuple[str, str | None, str | None], str | None] = {}
    for row, kind, label, payload, attributes in rows.iter_rows():
        key = (kind, label, payload)
        if key not in judged:
            judged[key] = payload_objection(kind, payload, label=label)
        reason = judged[key] or (attributes_objection(attributes) if attributes is not None else None)
        if reason is not None:
            reasons[row] = reason
    if not reasons:
        return None
    return pl.Series("r", [reasons.get(row) for row in range(events.height)], dtype=pl.String)


def _common_rules() -> list[tuple[str, pl.Expr]]:
    absent = [
        (f"`{name}` is missing", pl.col(name).is_null())
        for name in ("id", "kind", "occurred_at", "received_at", "source", "v")
    ]
    with_subject = [kind for kind, struct in KINDS.items() if struct.needs_subject]
    consent = pl.col("consent").list.contains("feedback")
    exempt = str(Consent.__struct_config__.tag)
    return [
        *absent,
        ("`kind` is not one of the contract's", ~pl.col("kind").is_in(list(KINDS))),
        ("`id` is longer than 128 characters or empty", ~pl.col("id").str.len_chars().is_between(1, 128)),
        ("`subject` is missing", pl.col("kind").is_in(with_subject) & pl.col("subject").is_null()),
        ("`subject` is not a pseudonym", pl.col("subject").str.len_bytes() != SUBJECT_LENGTH),
        (
            "`consent` does not include feedback",
            (pl.col("kind") != exempt) & pl.col("consent").is_not_null() & ~consent,
        ),
        (
            "`value` is not within its scale",
            pl.col("scale_min").is_not_null() & ~pl.col("value").is_between("scale_min", "scale_max"),
        ),
        ("`scale` must run from low to high", pl.col("scale_min") >= pl.col("scale_max")),
        ("`scale` is not finite", ~(pl.col("scale_max") - pl.col("scale_min")).is_finite()),
        ("`scale` has one end only", pl.col("scale_min").is_null() != pl.col("scale_max").is_null()),
    ]


def _consent_rules() -> list[tuple[str, pl.Expr]]:
    """The purposes that an event states: words of the contract, and nothing else in the list."""
    purposes = get_args(Purpose)
    strange = pl.element().is_null() | ~pl.element().is_in(purposes)
    return [
        (f"`consent` lists something else than {', '.join(purposes)}", pl.col("consent").list.eval(strange).list.any())
    ]


@cache
def kind_rules(kind: str) -> tuple[tuple[str, pl.Expr], ...]:
    """Rules of one kind on its columns, as (message, expression that is true where the rule is broken)."""
    mine = pl.col("kind") == kind
    rules: list[tuple[str, pl.Expr]] = []
    for field in (*_fields(KINDS[kind]), *_fields(Context)):
        if field.name == "scale" and field.required:
            rules.append(("`scale` is missing", mine & _no_scale()))
        column = COLUMN_OF_FIELD.get(field.name, field.name)
        if field.name in _LOOSE or column not in _COLUMNS:
            continue
        if field.required:
            rules.append((f"`{column}` is missing", mine & pl.col(column).is_null()))
        rules.extend(
            (f"`{column}` {words}", mine & broken) for words, broken in _value_rules(field.type, pl.col(column))
        )
    if "scale" in KINDS[kind].__struct_fields__:
        rules.append(("a `value` needs its `scale`", mine & pl.col("value").is_not_null() & _no_scale()))
    if not KINDS[kind].needs_subject:
        rules.append(("`subject` has no place in this kind", mine & pl.col("subject").is_not_null()))
    return (*rules, *(_survey_rules(mine) if KINDS[kind] is Survey else ()))


def _no_scale() -> pl.Expr:
    return pl.col("scale_min").is_null() | pl.col("scale_max").is_null()


def _survey_rules(mine: pl.Expr) -> list[tuple[str, pl.Expr]]:
    """Rules on survey answers, by metric."""
    metric = pl.col("label")
    return [
        ("the answer needs `value`", mine & metric.is_in(list(SURVEY_SCALES)) & pl.col("value").is_null()),
        ("an open answer needs `text`", mine & (metric == "text") & pl.col("text").is_null()),
    ]


def _fields(struct: type[Event] | type[Context]) -> tuple[inspect.Field, ...]:
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    return info.fields


def _value_rules(type_: inspect.Type, column: pl.Expr) -> list[tuple[str, pl.Expr]]:
    """Ranges, lengths and word lists of one type."""
    if isinstance(type_, inspect.Metadata):
        return _value_rules(type_.type, column)
    if isinstance(type_, inspect.UnionType):
        return [rule for part in type_.types for rule in _value_rules(part, column)]
    if isinstance(type_, inspect.LiteralType):
        return [(f"is not one of {', '.join(map(str, type_.values))}", ~column.is_in(list(type_.values)))]
    if isinstance(type_, inspect.FloatType | inspect.IntType):
        return _range_rules(type_, column)
    if isinstance(type_, inspect.StrType):
        return _text_rules(type_, column)
    return []


def _range_rules(type_: inspect.FloatType | inspect.IntType, column: pl.Expr) -> list[tuple[str, pl.Expr]]:
    rules = []
    if type_.ge is not None:
        rules.append((f"is below {type_.ge:g}", ~(column >= type_.ge)))
    if type_.gt is not None:
        rules.append((f"is not above {type_.gt:g}", ~(column > type_.gt)))
    if type_.le is not None:
        rules.append((f"is above {type_.le:g}", ~(column <= type_.le)))
    return rules


def _text_rules(type_: inspect.StrType, column: pl.Expr) -> list[tuple[str, pl.Expr]]:
    rules = []
    if type_.min_length:
        rules.append(("is empty", column.str.len_bytes() < type_.min_length))
    if type_.max_length is not None:
        rules.append((f"is longer than {type_.max_length} characters", column.str.len_chars() > type_.max_length))
    if type_.pattern is not None:
        rules.append((f"does not match {type_.pattern}", ~column.str.contains(type_.pattern)))
    return rules
