"""Landing broken on purpose: what the kill bench must be able to see."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from deltalake import DeltaTable
from deltalake.transaction import AddAction

from bench.killing.worker import land
from feedback.settings.home import Settings
from lakehouse.fenced_table import FencedTable

Transact = Any


def positions_apart(settings: Settings, fault: str, shift: Any) -> None:
    """A worker that commits the rows first and the positions in a commit of their own."""
    plain: Transact = FencedTable._transact

    def transact(self: FencedTable, table: DeltaTable, adds: list[AddAction], numbers: Mapping[str, int]) -> None:
        plain(self, table, adds, {})
        self._fault("after data file")
        table.update_incremental()
        plain(self, table, [], numbers)

    FencedTable._transact = transact  # type: ignore[method-assign]
    land(settings, fault, shift)


def rows_after_positions(settings: Settings, fault: str, shift: Any) -> None:
    """A worker that commits the positions first and the rows in a commit of their own."""
    plain: Transact = FencedTable._transact

    def transact(self: FencedTable, table: DeltaTable, adds: list[AddAction], numbers: Mapping[str, int]) -> None:
        plain(self, table, [], numbers)
        self._fault("after data file")
        table.update_incremental()
        plain(self, table, adds, {})

    FencedTable._transact = transact  # type: ignore[method-assign]
    land(settings, fault, shift)


def fence_by_path(settings: Settings, fault: str, shift: Any) -> None:
    """A worker that compares one snapshot and commits through another, which it reads by the table's path."""
    plain: Transact = FencedTable._transact

    def transact(self: FencedTable, table: DeltaTable, adds: list[AddAction], numbers: Mapping[str, int]) -> None:
        plain(self, DeltaTable(table.table_uri), adds, numbers)

    FencedTable._transact = transact  # type: ignore[method-assign]
    land(settings, fault, shift)


def gives_up(settings: Settings, fault: str, shift: Any) -> None:
    """A worker that ends by itself."""
    del settings, fault, shift
    threading.Event().wait(0.2)
    raise SystemExit(3)
