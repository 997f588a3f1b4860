"""What the tests of file imports share: write a file, import it, read back what is in the log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from feedback.admitted import AdmittedEvent
from feedback.intake import Intake
from gateway.files.columns import ImportPlan
from gateway.files.importing import ImportReport, import_file

RATINGS = ImportPlan(kind="rating", scale=(1, 5))
HEADER = "user_id,item_id,value,occurred_at\n"
AT = "2024-01-02T03:04:05Z"


@dataclass
class Importing:
    """A home's intake, and a folder for files."""

    intake: Intake
    folder: Path

    def file(self, name: str, content: str | bytes, plan: ImportPlan = RATINGS) -> ImportReport:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return import_file(path, plan, self.intake, refused_to=self.folder / "refused" / "refused.jsonl")

    def events(self) -> list[AdmittedEvent]:
        log = self.intake.log
        lines = [line for p in range(4) for r in log.read(p, 0, max_events=10_000) for line in r.value.split(b"\n")]
        return sorted((msgspec.json.decode(line, type=AdmittedEvent) for line in lines), key=lambda e: e.item_id or "")

    def payloads(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(event.payload or "{}") for event in self.events()]

    def refused(self, name: str = "refused.jsonl") -> list[dict[str, Any]]:
        return [msgspec.json.decode(line) for line in (self.folder / "refused" / name).read_bytes().splitlines()]
