"""Types of the contract's fields, by name: what a file's cells have to become."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import inspect

from feedback.contract import CONTEXT_ID_FIELDS, ID_FIELDS, KINDS, Context

_Types = frozenset[type[inspect.Type]]


def _types_of(type_: inspect.Type) -> Iterator[type[inspect.Type]]:
    """The plain types that a field takes, without its bounds and without null."""
    if isinstance(type_, inspect.Metadata):
        yield from _types_of(type_.type)
    elif isinstance(type_, inspect.UnionType):
        for part in type_.types:
            yield from _types_of(part)
    elif not isinstance(type_, inspect.NoneType):
        yield type(type_)


def _types_by_field() -> dict[str, _Types]:
    found: dict[str, _Types] = {}
    for struct in (*KINDS.values(), Context):
        info = inspect.type_info(struct)
        assert isinstance(info, inspect.StructType)
        for field in info.fields:
            found[field.name] = found.get(field.name, frozenset()) | frozenset(_types_of(field.type))
    return found


_TYPES = _types_by_field()


def _fields_of(*types: type[inspect.Type]) -> frozenset[str]:
    return frozenset(name for name, found in _TYPES.items() if found & frozenset(types))


OBJECTS = _fields_of(inspect.DictType, inspect.StructType) | {"v"}
"""Fields that a file holds as JSON; `v` is taken as it is, too."""
LISTS = _fields_of(inspect.ListType)
IDS = frozenset({*CONTEXT_ID_FIELDS, *(name for names in ID_FIELDS.values() for name in names)}) - LISTS
WHOLE = _fields_of(inspect.IntType) - OBJECTS
NUMBERS = _fields_of(inspect.FloatType) | WHOLE
TIMES = _fields_of(inspect.DateTimeType)
