"""Every table of the lake, found in the modules of this package: a new module with a `TableSpec` is a new table."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

import lakehouse.tables
from feedback.errors import ContractViolation
from lakehouse.tables.spec import TableSpec


def declared_tables() -> list[TableSpec]:
    """The specs that the modules of `lakehouse.tables` declare, each once, in the order of the modules' names."""
    found: dict[int, TableSpec] = {}
    for entry in pkgutil.iter_modules(lakehouse.tables.__path__):
        module = importlib.import_module(f"lakehouse.tables.{entry.name}")
        found |= {id(value): value for value in vars(module).values() if isinstance(value, TableSpec)}
    return list(found.values())


def in_order(specs: Iterable[TableSpec]) -> dict[str, TableSpec]:
    """The tables by name, each after those that it is built from.

    Raises:
        ContractViolation: Two tables have one name, or one is built from a table that is not there or from itself.
    """
    tables: dict[str, TableSpec] = {}
    for spec in specs:
        if spec.name in tables:
            raise ContractViolation(f"two tables are declared with the name {spec.name!r}")
        tables[spec.name] = spec
    for spec in tables.values():
        if unknown := sorted(set(spec.built_from) - set(tables)):
            raise ContractViolation(f"table {spec.name} is built from {unknown}, which no module declares")
    try:
        order = tuple(TopologicalSorter({name: spec.built_from for name, spec in tables.items()}).static_order())
    except CycleError as error:
        raise ContractViolation(f"tables are built from one another in a circle: {error.args[1]}") from error
    return {name: tables[name] for name in order}


TABLES: dict[str, TableSpec] = in_order(declared_tables())
"""Every table by its name, in the order of the data path."""
