"""Every Delta table, declared once: schema, key, partitioning and what each column means.

Readers, checks, docs and commits derive from these specs. A table evolves by a declared migration: its `version` goes
up by one and it gains nullable columns that name that version (`added_in`); a column is never renamed, removed or
given another type. `lakehouse.evolution` carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from feedback.contract import KINDS
from feedback.errors import ContractViolation

TIME = pa.timestamp("us", tz="UTC")
ATTRIBUTE_TYPES = (pa.string(), pa.float64(), pa.int64(), pa.int32())
"""What a column can be filled with out of the JSON of `attributes`."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: name, Arrow type, meaning, whether it may be null, and since which version of its table it is there.

    Attributes:
        attribute: The key of `attributes` under which its values were kept before there was a column. Older rows are
            then read, and lines of older producers landed, as if the column had always been there.
    """

    name: str
    type: pa.DataType
    meaning: str
    nullable: bool = True
    added_in: int = 1
    attribute: str | None = None

    def __post_init__(self) -> None:
        if self.added_in > 1 and not self.nullable:
            raise ContractViolation(f"column {self.name}: new columns must be nullable, older rows have no value")
        if self.attribute is not None and not (self.attribute.isidentifier() and self.type in ATTRIBUTE_TYPES):
            raise ContractViolation(
                f"column {self.name}: an attribute must be named like a variable and hold text or a number, "
                f"got {self.attribute!r} as {self.type}"
            )


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
    unlike_columns: tuple[str, ...] = ()
    """Columns whose values hardly repeat: the writer would build a dictionary of each only to give it up."""
    cluster_by: tuple[str, ...] = ()
    """What rows of a closed day are put next to each other by; names that the table does not have yet are left out."""
    latest_by: str = ""
    """The last column of the key, where a row with a higher one replaces those with a lower one."""

    def __post_init__(self) -> None:
        ahead = [column.name for column in self.columns if column.added_in > self.version]
        if ahead:
            raise ContractViolation(f"table {self.name} is at version {self.version}; {ahead} come later, raise it")

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
    _required("id", pa.string(), "idempotency key within owner (the subject, or the item), kind and source"),
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
    Column("undated", pa.bool_(), "true where the sender gave neither id nor time; null otherwise", added_in=3),
)
"""The columns of the admitted event, in its order (`feedback.admitted.AdmittedEvent`)."""

FEEDBACK = TableSpec(
    name="feedback",
    grain="one row per clean event",
    key=("subject", "item_id", "kind", "source", "id"),
    columns=(
        *FEEDBACK_EVENT,
        *_POSITION,
        Column("appended_at", TIME, "when the log took the record; null in rows of version 1"),
    ),
    partition_by=("landed_on",),
    version=3,
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

REPLAYS = TableSpec(
    name="replays",
    grain="one row per quarantined row that was replayed; first as a plan, then with where it went",
    key=("log_partition", "log_offset", "log_index"),
    columns=(
        _required("replay_id", pa.string(), "the run of `heed replay`, and its part, that took the row"),
        _required("log_partition", pa.int32(), "place of the quarantined row"),
        _required("log_offset", pa.int64(), "place of the quarantined row"),
        _required("log_index", pa.int32(), "place of the quarantined row"),
        _required("code", pa.string(), "why it was refused"),
        _required("planned_at", TIME, "when it was decided what to append"),
        Column("line", pa.string(), "what to append; null once it is in the log"),
        Column("replayed_at", TIME, "when it was appended again; null while that is not known to have happened"),
        Column("to_partition", pa.int32(), "where it went: partition of the log"),
        Column("to_offset", pa.int64(), "where it went: offset of the record"),
        Column("to_index", pa.int32(), "where it went: place in that record"),
    ),
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
        Column("wanted_at", TIME, "last event that does not speak against the item", added_in=2),
    ),
    version=2,
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

SIGNAL_TALLIES = (
    Column("events", pa.int64(), "events that happened in the window, of every kind"),
    Column("opinions", pa.int64(), "those that say something by the table of signs"),
    Column("positive", pa.int64(), "opinions above zero"),
    Column("negative", pa.int64(), "opinions below zero"),
    Column("ratings", pa.int64(), "ratings and reviews with a value"),
    Column("rating_millionths", pa.int64(), "sum of their places on their scales, in millionths of the way up"),
    Column("nps_promoters", pa.int64(), "answers of 9 and 10"),
    Column("nps_passives", pa.int64(), "answers of 7 and 8"),
    Column("nps_detractors", pa.int64(), "answers up to 6"),
    Column("csat_answered", pa.int64(), "answers to the satisfaction question"),
    Column("csat_satisfied", pa.int64(), "those in the top box: 4 and 5 of five"),
    Column("late", pa.int64(), "events that the log took in the window, too late for their own; scope `all` only"),
    *(Column(f"n_{kind}", pa.int64(), f"events of kind `{kind}`") for kind in KINDS),
)
"""What a window counts; whole numbers, so that sums do not depend on their order."""

SIGNALS = TableSpec(
    name="signals",
    grain="one row per pane: what one log partition had brought to one window so far; the highest pane counts",
    key=("size_seconds", "window_start", "scope", "key", "log_partition", "pane"),
    columns=(
        _required("window_on", pa.date32(), "UTC day on which the window starts"),
        _required("size_seconds", pa.int32(), "length of the window"),
        _required("window_start", TIME, "when it starts; it ends `size_seconds` later"),
        _required("scope", pa.string(), "item, section or all"),
        _required("key", pa.string(), "the item or the section; empty for all"),
        _required("log_partition", pa.int32(), "partition of the feedback log; a reader adds partitions up"),
        _required("pane", pa.int64(), "number of the pane in its log partition; a later one replaces an earlier one"),
        _required("final", pa.bool_(), "whether the partition had passed the window's end and the allowed lateness"),
        _required("people", pa.binary(), "distinct subjects: numbers while they are few, else an HLL sketch"),
        *SIGNAL_TALLIES,
    ),
    partition_by=("window_on",),
    stats_columns=("size_seconds", "window_start", "log_partition", "pane"),
    unlike_columns=("people",),
    latest_by="pane",
)

TABLES: dict[str, TableSpec] = {
    spec.name: spec for spec in (FEEDBACK, QUARANTINE, REPLAYS, ITEMS, INTERACTIONS, EVALUATIONS, SIGNALS)
}
