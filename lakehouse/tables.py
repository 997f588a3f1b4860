"""Every Delta table, declared once: schema, key, partitioning and what each column means.

Readers, checks, docs and commits derive from these specs. A table evolves by adding nullable columns at the end
and raising its version; a column is never renamed or given another type.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")
POSITION_COLUMNS = ("log_partition", "log_offset", "log_index", "log_count")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: name, Arrow type, meaning, and whether it may be null."""

    name: str
    type: pa.DataType
    meaning: str
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One Delta table: its columns, the key that makes a row unique, and how it is partitioned."""

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = ()
    version: int = 1
    stats_columns: tuple[str, ...] = field(default=())
    """Columns whose minimum and maximum may stand in the Delta log; never text or ids of persons."""
    cluster_by: tuple[str, ...] = ()
    """What rows of a closed day are put next to each other by; names that the table does not have yet are left out."""

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema."""
        return pa.schema([pa.field(c.name, c.type, nullable=c.nullable) for c in self.columns])

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)


def _required(name: str, type_: pa.DataType, meaning: str) -> Column:
    return Column(name, type_, meaning, nullable=False)


_POSITION = (
    _required("log_partition", pa.int32(), "partition of the feedback log"),
    _required("log_offset", pa.int64(), "offset of the record in its partition"),
    _required("log_index", pa.int32(), "place of the event in its record, from 0"),
    _required("log_count", pa.int32(), "events in that record"),
    _required("landed_on", pa.date32(), "UTC day on which the record was appended to the log"),
)

FEEDBACK_EVENT = (
    _required("v", pa.int32(), "version of the event contract"),
    _required("id", pa.string(), "idempotency key within the owner (the subject, or the item)"),
    _required("kind", pa.string(), "kind of feedback"),
    Column("subject", pa.string(), "pseudonym of the person; null for catalogue entries"),
    Column("item_id", pa.string(), "what the feedback is about"),
    _required("occurred_at", TIME, "when it happened, as the sender says"),
    _required("received_at", TIME, "when the gateway admitted it"),
    _required("source", pa.string(), "where it came from"),
    Column("value", pa.float64(), "score, seconds or depth, by kind"),
    Column("scale_min", pa.float64(), "lowest possible value"),
    Column("scale_max", pa.float64(), "highest possible value"),
    Column("label", pa.string(), "reaction, survey metric, channel or state, by kind"),
    Column("text", pa.string(), "what the person wrote"),
    Column("order_id", pa.string(), "order that the event belongs to"),
    Column("quantity", pa.float64(), "pieces"),
    Column("price", pa.float64(), "price of one piece"),
    Column("currency", pa.string(), "ISO 4217 code"),
    Column("decision_id", pa.string(), "the served list that led here"),
    Column("device", pa.string(), "device type"),
    Column("os", pa.string(), "operating system"),
    Column("app", pa.string(), "application"),
    Column("locale", pa.string(), "language and region of the interface"),
    Column("country", pa.string(), "ISO 3166-1 alpha-2 code"),
    Column("region", pa.string(), "region within the country"),
    Column("page", pa.string(), "page address"),
    Column("section", pa.string(), "section of the site"),
    Column("session_id", pa.string(), "visit"),
    Column("referrer", pa.string(), "where the visit came from"),
    Column("position", pa.int64(), "slot in a list, from 0"),
    Column("consent", pa.list_(pa.string()), "purposes granted with the event"),
    Column("payload", pa.string(), "JSON: fields of this kind without a column"),
    Column("attributes", pa.string(), "JSON: fields that the contract does not know"),
)
"""The columns of the admitted event, in its order (`feedback.admitted.AdmittedEvent`)."""

FEEDBACK = TableSpec(
    name="feedback",
    grain="one row per clean event",
    key=("subject", "item_id", "id"),
    columns=(*FEEDBACK_EVENT, *_POSITION),
    partition_by=("landed_on",),
    stats_columns=("kind", "occurred_at", "received_at", "log_partition", "log_offset"),
    cluster_by=("country", "segment", "subject"),
)

QUARANTINE = TableSpec(
    name="quarantine",
    grain="one row per event that landing refused, duplicates (without raw) among them",
    key=("log_partition", "log_offset", "log_index"),
    columns=(
        _required("code", pa.string(), "why it was refused"),
        _required("detail", pa.string(), "what was wrong, and where"),
        Column("raw", pa.string(), "the line as it stood in the log; null for duplicates"),
        Column("id", pa.string(), "the event's id, where it could be read"),
        Column("kind", pa.string(), "the event's kind, where it could be read"),
        Column("source", pa.string(), "where it came from, where it could be read"),
        *_POSITION,
    ),
    partition_by=("landed_on",),
    stats_columns=("code", "log_partition", "log_offset"),
)

ITEMS = TableSpec(
    name="items",
    grain="one row per item, its latest catalogue entry",
    key=("item_id",),
    columns=(
        _required("item_id", pa.string(), "the item"),
        _required("title", pa.string(), "its name"),
        _required("categories", pa.list_(pa.string()), "where it belongs"),
        _required("tags", pa.list_(pa.string()), "free labels"),
        Column("description", pa.string(), "what it is"),
        Column("price", pa.float64(), "price of one piece"),
        Column("currency", pa.string(), "ISO 4217 code"),
        Column("url", pa.string(), "its page"),
        Column("image_url", pa.string(), "its picture"),
        _required("available", pa.bool_(), "whether it may be recommended"),
        Column("released_at", TIME, "when it came out"),
        _required("updated_at", TIME, "when this entry happened"),
    ),
)

INTERACTIONS = TableSpec(
    name="interactions",
    grain="one row per (subject, item)",
    key=("subject", "item_id"),
    columns=(
        _required("subject", pa.string(), "pseudonym of the person"),
        _required("item_id", pa.string(), "the item"),
        Column("explicit", pa.float64(), "latest stated preference, -1 to 1"),
        _required("implicit", pa.float64(), "sum of signed evidence from behaviour"),
        _required("preference", pa.float64(), "signed preference, -1 to 1"),
        _required("weight", pa.float64(), "confidence in it, 0 or more"),
        _required("events", pa.int32(), "events behind it"),
        _required("first_at", TIME, "first event"),
        _required("last_at", TIME, "last event"),
        Column("explicit_at", TIME, "the stated preference's event"),
    ),
)

EVALUATIONS = TableSpec(
    name="evaluations",
    grain="one row per evaluation, recommender, split and metric",
    key=("evaluation_id", "recommender", "split", "metric"),
    columns=(
        _required("evaluation_id", pa.string(), "the run that measured it"),
        _required("evaluated_at", TIME, "when"),
        _required("recommender", pa.string(), "which recommender"),
        _required("split", pa.string(), "how train and test were parted"),
        _required("metric", pa.string(), "which figure"),
        _required("k", pa.int32(), "length of the list"),
        _required("value", pa.float64(), "the figure"),
        _required("users", pa.int32(), "how many people it is over"),
        _required("parameters", pa.string(), "JSON: the recommender's parameters"),
    ),
)

TABLES: dict[str, TableSpec] = {spec.name: spec for spec in (FEEDBACK, QUARANTINE, ITEMS, INTERACTIONS, EVALUATIONS)}
