"""The file of refused rows: made when the first one comes, with a name that no other run has."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from feedback.errors import ImportFileError
from feedback.verdicts import Verdict
from gateway.files.formats.readers import Row
from gateway.files.formats.sources import Unreadable

MAX_SAME_NAME = 100_000


class Refusals:
    """Writes refused rows and their reasons to `wanted`, or `wanted` with a number where that exists already.

    Files are readable by their owner alone: they hold raw rows, with the ids of persons.
    """

    def __init__(self, wanted: Path) -> None:
        self._wanted = wanted
        self._file: int | None = None
        self.written: str | None = None

    def __enter__(self) -> Refusals:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._file)

    def write(self, batch: Sequence[Row], verdicts: Sequence[Verdict]) -> None:
        """Append the rows of a batch that were refused."""
        lines = [
            self._line(*batch[verdict.index], verdict)
            for verdict in verdicts
            if verdict.verdict == "rejected"
        ]  # fmt: skip
        if not lines:
            return
        try:
            if self._file is None:
                self._file, path = self._new_file()
                self.written = str(path)
            with os.fdopen(os.dup(self._file), "wb") as file:
                file.writelines(lines)
        except OSError as error:
            raise ImportFileError(f"{self._wanted}: refused rows cannot be written there: {error.strerror}") from error

    @staticmethod
    def _line(place: int, row: dict[str, Any] | bytes | Unreadable, verdict: Verdict) -> bytes:
        raw = row.decode("utf-8", "replace") if isinstance(row, bytes) else row
        line = {"row": place, "code": verdict.code, "field": verdict.field, "detail": verdict.detail}
        shown = raw.raw if isinstance(raw, Unreadable) else raw
        return msgspec.json.encode({**line, "raw": shown}, enc_hook=str) + b"\n"

    def _new_file(self) -> tuple[int, Path]:
        self._wanted.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(1, MAX_SAME_NAME):
            path = self._wanted if number == 1 else self._wanted.with_name(_numbered(self._wanted.name, number))
            try:
                return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600), path
            except FileExistsError:
                continue
        raise ImportFileError(
            f"{self._wanted.parent}: {MAX_SAME_NAME:,} files of refused rows are named so; remove some"
        )


def _numbered(name: str, number: int) -> str:
    """`ratings.csv.jsonl` -> `ratings.csv-2.jsonl`."""
    stem, dot, ending = name.rpartition(".")
    return f"{stem}-{number}{dot}{ending}" if dot else f"{name}-{number}"
