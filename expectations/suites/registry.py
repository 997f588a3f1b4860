"""Every suite, found in the modules of this package: a new module with a `Suite` checks the table that it names."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable

import expectations.suites
from expectations.suite import Suite
from feedback.errors import ContractViolation
from lakehouse.tables.registry import TABLES


def declared_suites() -> list[Suite]:
    """The suites that the modules of `expectations.suites` declare, each once, in the order of the modules' names."""
    found: dict[int, Suite] = {}
    for entry in pkgutil.iter_modules(expectations.suites.__path__):
        module = importlib.import_module(f"expectations.suites.{entry.name}")
        found |= {id(value): value for value in vars(module).values() if isinstance(value, Suite)}
    return list(found.values())


def by_table(suites: Iterable[Suite]) -> dict[str, Suite]:
    """The suites by their tables' names, in the order of the data path; those that look into the catalogue come last.

    Raises:
        ContractViolation: Two suites are about one table, or one is about a table that no module declares.
    """
    found: dict[str, Suite] = {}
    for suite in suites:
        if suite.name in found:
            raise ContractViolation(f"two suites are about the table {suite.name!r}")
        if suite.name not in TABLES:
            raise ContractViolation(f"a suite is about the table {suite.name!r}, which no module declares")
        found[suite.name] = suite
    ordered = sorted((found[name] for name in TABLES if name in found), key=lambda suite: suite.needs_catalogue)
    return {suite.name: suite for suite in ordered}


SUITES: dict[str, Suite] = by_table(declared_suites())
"""Every suite by its table's name."""
