"""A table that the loop builds: its spec, its title and the function that builds it. Dagster's part is in `defs`.

A new table is a module of `lakehouse/tables/` (the spec), one of `expectations/suites/` where it is checked, and one of
`dagster_project/lib/tables/` (the builder).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dagster_project.lib.handover import TableVersion
from dagster_project.lib.stages import FEATURES
from feedback.errors import ContractViolation
from lakehouse.tables.spec import TableSpec

if TYPE_CHECKING:
    import polars as pl

    from feedback.settings.home import Settings
    from lakehouse.lake import Lake


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a builder works with: the settings, the lake, and the pinned versions of the tables that it reads."""

    settings: Settings
    lake: Lake
    versions: Mapping[str, TableVersion]
    """By table, for those that the spec is `built_from`."""

    def scan(self, spec: TableSpec) -> pl.LazyFrame:
        """The rows of a source, at the version that this run has built and checked.

        Raises:
            ContractViolation: The table that is being built does not name this one in `built_from`.
        """
        if spec.name not in self.versions:
            raise ContractViolation(
                f"table {spec.name} is no source: `built_from` names {sorted(self.versions) or 'nothing'}"
            )
        return self.lake.scan(spec, version=self.versions[spec.name].version)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Report:
    """What an asset shows beside the rows, version and columns of its table."""

    figures: Mapping[str, Any] = field(default_factory=dict)
    """Numbers, texts and JSON by name."""
    pages: Mapping[str, str] = field(default_factory=dict)
    """Markdown by name."""
    note: str = ""
    """A line for the run's log."""


@dataclass(frozen=True, slots=True, eq=False)
class NewRows:
    """Every row of the table, anew: they replace those of the version before in one commit."""

    rows: pl.DataFrame
    report: Report = field(default_factory=Report)


@dataclass(frozen=True, slots=True, eq=False)
class CommittedVersion:
    """A version that the builder has committed itself."""

    version: TableVersion
    report: Report = field(default_factory=Report)


Builder = Callable[[Inputs], NewRows | CommittedVersion]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableAsset:
    """One table and how it is built."""

    spec: TableSpec
    title: str
    """What people call the table, as in "Check the catalogue"."""
    description: str
    """For Dagster's pages."""
    build: Builder
    verb: str = "Build"
    """What its step does with it."""
    asset: str = ""
    """The asset's name, where it is not the table's."""
    group: str = FEATURES
    kinds: frozenset[str] = frozenset({"polars", "delta"})
    replaces: bool = True
    """Whether every run writes the whole table: old versions are then dropped by count (`table_versions_kept`)."""
    watched: bool = False
    """Whether Dagster warns when it was not built for days."""

    @property
    def name(self) -> str:
        """The asset's name."""
        return self.asset or self.spec.name

    @property
    def suite_step(self) -> str:
        """The name of the step that checks the table."""
        return f"{self.spec.name}_suite"


def version_of(spec: TableSpec, inputs: Inputs, *, version: int, rows: int) -> TableVersion:
    """A version of a table built from others: as far into the feedback log as the source that reaches least far.

    Raises:
        ContractViolation: The table has no sources.
    """
    sources = inputs.versions
    if not sources:
        raise ContractViolation(f"table {spec.name} names no sources in `built_from`: its builder commits it itself")
    partitions = set.union(*(set(source.positions) for source in sources.values()))
    return TableVersion(
        spec.name,
        version,
        rows,
        feedback_version=min(source.feedback_version for source in sources.values()),
        positions={p: min(source.positions.get(p, 0) for source in sources.values()) for p in sorted(partitions)},
        sources={name: source.version for name, source in sources.items()},
    )
