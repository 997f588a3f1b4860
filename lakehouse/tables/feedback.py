"""The table `feedback`: one row per clean event."""

from __future__ import annotations

import pyarrow as pa

from lakehouse.tables.positions import POSITION
from lakehouse.tables.spec import TIME, Column, TableSpec, required

FEEDBACK_EVENT = (
    required("v", pa.int32(), "version of the event contract", personal=False),
    required(
        "id", pa.string(), "idempotency key within owner (the subject, or the item), kind and source", personal=True
    ),
    required("kind", pa.string(), "kind of feedback", personal=False),
    Column("subject", pa.string(), "pseudonym of the person; null for catalogue entries", personal=True),
    Column("item_id", pa.string(), "what the feedback is about", personal=False),
    required("occurred_at", TIME, "when it happened, as the sender says", personal=False),
    required("received_at", TIME, "when the gateway admitted it", personal=False),
    required("source", pa.string(), "where it came from", personal=False),
    Column("value", pa.float64(), "score, seconds or depth, by kind", personal=False),
    Column("scale_min", pa.float64(), "lowest possible value", personal=False),
    Column("scale_max", pa.float64(), "highest possible value", personal=False),
    Column("label", pa.string(), "reaction, survey metric, channel or state, by kind", personal=False),
    Column("text", pa.string(), "what the person wrote", personal=True),
    Column("order_id", pa.string(), "order that the event belongs to", personal=True),
    Column("quantity", pa.float64(), "pieces", personal=False),
    Column("price", pa.float64(), "price of one piece", personal=False),
    Column("currency", pa.string(), "ISO 4217 code", personal=False),
    Column("decision_id", pa.string(), "the served list that led here", personal=True),
    Column("device", pa.string(), "device type", personal=True),
    Column("os", pa.string(), "operating system", personal=True),
    Column("app", pa.string(), "application", personal=True),
    Column("locale", pa.string(), "language and region of the interface", personal=True),
    Column("country", pa.string(), "ISO 3166-1 alpha-2 code", personal=True),
    Column("region", pa.string(), "region within the country", personal=True),
    Column("page", pa.string(), "page address", personal=True),
    Column("section", pa.string(), "section of the site", personal=False),
    Column("session_id", pa.string(), "visit", personal=True),
    Column("referrer", pa.string(), "where the visit came from", personal=True),
    Column("position", pa.int64(), "slot in a list, from 0", personal=False),
    Column("consent", pa.list_(pa.string()), "purposes granted with the event", personal=True),
    Column("payload", pa.string(), "JSON: fields of this kind without a column", personal=True),
    Column("attributes", pa.string(), "JSON: fields that the contract does not know", personal=True),
    Column(
        "undated",
        pa.bool_(),
        "true where the sender gave neither id nor time; null otherwise",
        added_in=3,
        personal=False,
    ),
)
"""The columns of the admitted event, in its order (`feedback.admitted.AdmittedEvent`)."""

FEEDBACK_DERIVED = (
    Column(
        "redaction_version",
        pa.int32(),
        "version of the redaction that the row's texts went through; null where it was off, and in rows of version 3",
        added_in=4,
        personal=False,
    ),
)
"""What landing's stages add to an event; no line of the log has it. Null in rows that landed while a stage was off."""

FEEDBACK = TableSpec(
    name="feedback",
    grain="one row per clean event",
    key=("subject", "item_id", "kind", "source", "id"),
    subject="subject",
    columns=(
        *FEEDBACK_EVENT,
        *POSITION,
        Column("appended_at", TIME, "when the log took the record; null in rows of version 1", personal=False),
        *FEEDBACK_DERIVED,
    ),
    partition_by=("landed_on",),
    version=4,
    stats_columns=("kind", "occurred_at", "received_at", "log_partition", "log_offset"),
    unlike_columns=(
        "id",
        "occurred_at",
        "received_at",
        "text",
        "order_id",
        "decision_id",
        "session_id",
        "payload",
        "attributes",
        "log_offset",
    ),
    cluster_by=("country", "segment", "subject"),
)
