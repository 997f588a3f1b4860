"""`heed ingest FILE`: a file's rows through the same intake as HTTP, with a verdict for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from feedback.intake import Intake
from feedback.verdicts import NO_VERDICTS, Verdict, VerdictCounts, count_verdicts
from gateway.columns import ImportPlan, check_fields, check_plan, resolve_columns, row_event
from gateway.readers import Row, decode_row, read_batches

OnRows = Callable[[int], None]


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file."""

    file: str
    counts: VerdictCounts
    seconds: float
    refused_file: str | None


def import_file(
    path: Path, plan: ImportPlan, intake: Intake, *, refused_to: Path, on_rows: OnRows = lambda done: None
) -> ImportReport:
    """Send every row of a file through the intake; refused rows go to `refused_to` with their reasons.

    Raises:
        ImportFileError: The file or the plan cannot be used; nothing of it was sent then.
        LogError: The log refused; rows before that are in, and sending the file again is safe.
    """
    check_plan(plan)
    started = time.perf_counter()
    counts = NO_VERDICTS
    columns: dict[str, str] | None = None
    with _Refusals(refused_to) as refusals:
        for batch in read_batches(path, separator=plan.separator, names=plan.names):
            rows = [decode_row(row) for _, row in batch]
            if columns is None:
                columns = _columns(rows, plan, where=str(path))
            events = [_event(row, columns, plan) for row in rows]
            verdicts = intake.submit(events)
            counts = counts + count_verdicts(verdicts)
            refusals.write(batch, verdicts)
            on_rows(counts.sent)
    return ImportReport(
        file=str(path), counts=counts, seconds=time.perf_counter() - started, refused_file=refusals.written
    )


def _columns(rows: Sequence[dict[str, Any] | bytes], plan: ImportPlan, *, where: str) -> dict[str, str]:
    """Which column is which field, by the first rows: in JSON lines not every row has every column."""
    present = list(dict.fromkeys(name for row in rows if isinstance(row, dict) for name in row))
    if not present:
        return {}  # nothing here can be read as a row; admission says so of each
    columns = resolve_columns(plan, present, where=where)
    check_fields(plan, columns, where=where)
    return columns


def _event(row: dict[str, Any] | bytes, columns: Mapping[str, str], plan: ImportPlan) -> dict[str, Any] | bytes:
    if isinstance(row, bytes):
        return row
    if "kind" in row and plan.kind is None and not plan.columns:
        return row  # already an event of the contract
    return row_event(row, columns, plan)


class _Refusals:
    """The file of refused rows, made when the first one comes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.written: str | None = None

    def __enter__(self) -> _Refusals:
        self._path.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        return

    def write(self, batch: list[Row], verdicts: list[Verdict]) -> None:
        refused = [verdict for verdict in verdicts if verdict.verdict == "rejected"]
        if not refused:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self.written = str(self._path)
        with self._path.open("ab") as file:
            for verdict in refused:
                place, row = batch[verdict.index]
                raw = row.decode("utf-8", "replace") if isinstance(row, bytes) else row
                line = {"row": place, "code": verdict.code, "field": verdict.field, "detail": verdict.detail}
                file.write(msgspec.json.encode({**line, "raw": raw}, enc_hook=str) + b"\n")
