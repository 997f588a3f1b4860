"""Every table that the loop builds, found in the modules of this package."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping

import dagster_project.lib.tables
from dagster_project.lib.table_asset import TableAsset
from expectations.suites.registry import SUITES
from feedback.errors import ContractViolation
from lakehouse.tables.registry import TABLES


def declared_assets() -> list[TableAsset]:
    """The table assets that the modules of this package declare, in the order of the modules' names."""
    found: dict[int, TableAsset] = {}
    for entry in pkgutil.iter_modules(dagster_project.lib.tables.__path__):
        module = importlib.import_module(f"dagster_project.lib.tables.{entry.name}")
        found |= {id(value): value for value in vars(module).values() if isinstance(value, TableAsset)}
    return list(found.values())


def by_table(assets: Iterable[TableAsset], *, suites: Iterable[str]) -> dict[str, TableAsset]:
    """The assets by their tables' names, in the order of the data path.

    Args:
        assets: What the modules declare.
        suites: The tables that are checked.

    Raises:
        ContractViolation: Two assets build one table, one is built from a table that no asset builds, or a suite
            checks such a table.
    """
    found: dict[str, TableAsset] = {}
    for asset in assets:
        if asset.spec.name in found:
            raise ContractViolation(f"two assets build the table {asset.spec.name!r}")
        found[asset.spec.name] = asset
    wanted = {source: f"asset {asset.name}" for asset in found.values() for source in asset.spec.built_from}
    wanted |= {name: f"suite {name}" for name in suites}
    if missing := sorted(set(wanted) - set(found)):
        raise ContractViolation(f"{wanted[missing[0]]} needs the table {missing[0]!r}, which no asset builds")
    return {name: found[name] for name in TABLES if name in found}


def step_titles(assets: Mapping[str, TableAsset]) -> dict[str, str]:
    """What people call the steps that build and check the tables, by the steps' names."""
    built = {asset.name: f"{asset.verb} {asset.title}" for asset in assets.values()}
    return built | {asset.suite_step: f"Check {asset.title}" for asset in assets.values()}


TABLE_ASSETS: dict[str, TableAsset] = by_table(declared_assets(), suites=SUITES)
"""Every table that the loop builds, by its name, in the order of the data path."""
