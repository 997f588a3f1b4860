"""Redact: replace personal data and secrets in what customers wrote, before anything of it lands.

Texts of events, the written fields of `payload` (titles of reviews, say) and the texts in `attributes` are redacted;
ids, numbers and catalogue entries stay. Identities were derived from the texts as they were sent, at the gateway, so
a retry is still known as one.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import msgspec
import polars as pl

from beam_jobs.batch import Batch
from beam_jobs.stages.stage import CleanLines, LandingStage, StageContext
from beam_jobs.stages.written_lines import (
    ALL_MEMBERS,
    CATALOGUE,
    IN_PAYLOAD,
    LONGEST_TEXT,
    Members,
    redact_line,
    redact_object,
)
from text.redaction import VERSION, may_hold, redact_column
from text.redactor import Redactor
from text.sensitive import Sensitive

COLUMN = "redaction_version"
ESCAPED = r"\\[u/]"
"""JSON escapes, which a search over the raw text of a document would miss."""

_LISTS_OF_IDS = ("exposure",)
"""Kinds whose payload is not looked at: it lists items' ids, and comes with every page that is shown."""


class Redact(LandingStage):
    """Redacts the types that the setting `landing.redact` names; with none it is off."""

    name = "redact"
    columns = (COLUMN,)

    def open(self, context: StageContext) -> None:
        """Take the types from the settings."""
        self._types = frozenset(map(Sensitive, context.settings.landing.redact))

    def process(self, batch: Batch) -> Batch:
        """Redact the events' texts and note the version."""
        if not self._types:
            return batch
        events, counts = redact_events(batch.events, self._types)
        events = events.with_columns(pl.lit(VERSION, pl.Int32).alias(COLUMN))
        findings = Counter(batch.findings)
        findings.update({(self.name, kind.value): count for kind, count in counts.items()})
        return replace(batch, events=events, findings=findings)

    def clean(self, lines: pl.Series) -> CleanLines:
        """Redact whole lines, or what is left of them."""
        if not self._types:
            return CleanLines(lines, {})
        redactor = Redactor(self._types)
        rows = _suspects(lines, self._types)
        cleaned = [redact_line(line, redactor) for line in lines.gather(rows)]
        if redactor.counts:
            lines = lines.clone().scatter(rows, pl.Series(cleaned, dtype=pl.String))
        return CleanLines(lines, {kind.value: count for kind, count in redactor.counts.items()})


def redact_events(events: pl.DataFrame, types: frozenset[Sensitive]) -> tuple[pl.DataFrame, Counter[Sensitive]]:
    """Events with redacted `text`, `payload` and `attributes`, and how many of each type were replaced."""
    counts: Counter[Sensitive] = Counter()
    is_written = events["kind"] != CATALOGUE
    texts = events["text"]
    if texts.null_count() < len(texts):
        redacted = redact_column(texts.zip_with(is_written, _nothing(texts)), types=types, regions=events["country"])
        counts.update(redacted.counts)
        if redacted.counts:
            kept = redacted.texts.zip_with(is_written, texts).alias("text")
            events = events.with_columns(kept).with_columns(_as_long_as_allowed())
    for column, mask in (("payload", is_written & ~events["kind"].is_in(_LISTS_OF_IDS)), ("attributes", is_written)):
        documents = events[column]
        if documents.null_count() < len(documents):
            changed = _redacted_documents(events, documents.zip_with(mask, _nothing(documents)), types, counts)
            if changed is not None:
                events = events.with_columns(changed.zip_with(changed.is_not_null(), documents).alias(column))
    return events, counts


def _redacted_documents(
    events: pl.DataFrame, documents: pl.Series, types: frozenset[Sensitive], counts: Counter[Sensitive]
) -> pl.Series | None:
    """A column of JSON objects redacted, null where nothing changes; `None` where nothing does at all."""
    rows = _suspects(documents, types)
    if not len(rows):
        return None
    before = counts.total()
    changed: list[str | None] = [None] * len(documents)
    suspects = events.select("kind", "country").with_columns(documents.alias("document"))[rows]
    for row, (kind, country, document) in zip(rows, suspects.iter_rows(), strict=True):
        redactor = Redactor(types, region=country)
        members = IN_PAYLOAD[kind] if documents.name == "payload" else ALL_MEMBERS
        changed[row] = _redacted_document(document, redactor, members)
        counts += redactor.counts
    return pl.Series(changed, dtype=pl.String) if counts.total() > before else None


def _redacted_document(document: str, redactor: Redactor, members: Members) -> str | None:
    """A JSON object redacted; `None` where nothing changes."""
    try:
        value = redact_object(msgspec.json.decode(document, type=dict[str, Any]), redactor, members)
        return msgspec.json.encode(value).decode() if redactor.counts else None
    except RecursionError:  # nested as deeply as `admit` could just read; a new thread has a little more room
        redactor.counts.clear()
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(_redacted_document, document, redactor, members).result()


def _as_long_as_allowed() -> pl.Expr:
    """Texts that became too long for their kind, since a mark may be longer than what it replaces, are cut."""
    longest = pl.col("kind").replace_strict(LONGEST_TEXT, default=None, return_dtype=pl.Int64)
    text = pl.col("text")
    return pl.when(text.str.len_chars() > longest).then(text.str.head(longest)).otherwise(text).alias("text")


def _suspects(texts: pl.Series, types: frozenset[Sensitive]) -> pl.Series:
    """The rows whose JSON may hold something."""
    return (may_hold(texts, types) | texts.str.contains(ESCAPED)).arg_true()


def _nothing(like: pl.Series) -> pl.Series:
    return pl.Series(like.name, [None], dtype=pl.String).new_from_index(0, len(like))
