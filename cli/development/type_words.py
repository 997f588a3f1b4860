"""Types of msgspec in words, for generated pages."""

from __future__ import annotations

from typing import Any

from msgspec import inspect

_NAMES: dict[type[inspect.Type], str] = {
    inspect.DateTimeType: "time",
    inspect.BoolType: "true or false",
    inspect.DictType: "object",
    inspect.StructType: "object",
    inspect.TupleType: "[low, high]",
}


def fields_of(struct: type[Any]) -> tuple[inspect.Field, ...]:
    """A struct's fields, as msgspec sees them."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    return info.fields


def first_line(struct: type[Any]) -> str:
    """A struct's docstring, its first line."""
    return (struct.__doc__ or "").strip().splitlines()[0]


def type_words(type_: inspect.Type) -> str:
    """A type as people read it, with its bounds."""
    if isinstance(type_, inspect.Metadata):
        note = (type_.extra_json_schema or {}).get("description")
        return type_words(type_.type) + (f": {note}" if note else "")
    if isinstance(type_, inspect.UnionType):
        parts = [t for t in type_.types if not isinstance(t, inspect.NoneType)]
        return " or ".join(type_words(t) for t in parts)
    if isinstance(type_, inspect.LiteralType):
        return ", ".join(f"`{value}`" for value in type_.values)
    if isinstance(type_, inspect.StrType):
        bounds = (type_.min_length or 0, type_.max_length)
        pattern = f", `{type_.pattern}`" if type_.pattern else ""
        return f"text{f' of {bounds[0]} to {bounds[1]:,} characters' if bounds[1] else ''}{pattern}"
    if isinstance(type_, inspect.FloatType | inspect.IntType):
        kind = "number" if isinstance(type_, inspect.FloatType) else "whole number"
        ends = [f"{word} {end:,g}" for word, end in _ends(type_) if end is not None]
        return " ".join([kind, *ends])
    if isinstance(type_, inspect.ListType):
        return f"list of {type_words(type_.item_type)}"
    return _NAMES.get(type(type_), "any")


def _ends(type_: inspect.FloatType | inspect.IntType) -> tuple[tuple[str, float | None], ...]:
    return ("from", type_.ge), ("above", type_.gt), ("to", type_.le), ("below", type_.lt)
