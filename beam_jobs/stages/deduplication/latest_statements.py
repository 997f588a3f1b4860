"""Latest statements: find undated statements that only repeat the latest one about their topic.

A statement without id and time is a repeat only if the latest statement about its topic said the same. For each topic
that an undated statement of the window was about, a partition's worker holds a hash of what the latest one said. Other
topics cost nothing. A topic is an owner, a kind and the fields that the contract names for it (`STATEMENTS`).
"""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from feedback.admitted import COLUMN_OF_FIELD, DERIVED_LENGTH, DERIVED_PREFIX, AdmittedEvent
from feedback.contract import STATEMENTS
from lakehouse.lake import Lake
from lakehouse.landed.positions import Spans, within
from lakehouse.owners import owner_column
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.positions import PLACE

Hashes = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

COLUMNS = ("kind", "subject", "item_id", "label", "order_id", "payload", "id", *PLACE)
"""Columns that give a statement's topic, its content and its coordinates."""
OTHER = 0
"""The content of a statement with an id of its sender's: no undated one repeats it."""
_SEED = 0x57A7
_IS_DERIVED = pl.col("id").str.starts_with(DERIVED_PREFIX) & (pl.col("id").str.len_bytes() >= DERIVED_LENGTH)


class LatestStatements:
    """What the latest statement about each topic says, as hashes in two arrays sorted by topic; 16 bytes a topic."""

    def __init__(self) -> None:
        self._topics = np.zeros(0, np.uint64)
        self._contents = np.zeros(0, np.uint64)

    def __len__(self) -> int:
        return len(self._topics)

    def find(self, topics: Hashes) -> tuple[Mask, Hashes]:
        """Which topics are held, and what their latest statements say (`OTHER` where a topic is not held)."""
        if not len(self):
            return np.zeros(len(topics), np.bool_), np.zeros(len(topics), np.uint64)
        at = np.minimum(np.searchsorted(self._topics, topics), len(self) - 1)
        held = self._topics[at] == topics
        return held, np.where(held, self._contents[at], np.uint64(OTHER))

    def put(self, topics: Hashes, contents: Hashes) -> None:
        """Take over what was said last about distinct topics."""
        held, _ = self.find(topics)
        self._contents[np.searchsorted(self._topics, topics[held])] = contents[held]
        added = topics[~held]
        order = np.argsort(added)
        at = np.searchsorted(self._topics, added[order])
        self._topics = np.insert(self._topics, at, added[order])
        self._contents = np.insert(self._contents, at, contents[~held][order])


def undated_statements(events: pl.DataFrame) -> Mask | None:
    """Which events are statements that came without id and time; `None` where none is, which is told at once."""
    if events["undated"].null_count() == events.height:
        return None
    is_one = pl.col("undated") & pl.col("kind").is_in(list(STATEMENTS)) & _IS_DERIVED
    found = events.select(is_one.fill_null(value=False))["undated"].to_numpy()
    return found if found.any() else None


def with_topics(statements: pl.DataFrame) -> pl.DataFrame:
    """Add `topic` and `content`: hashes of what each statement is about and of what an undated one says."""
    content = pl.when(_IS_DERIVED).then(pl.col("id").str.slice(0, DERIVED_LENGTH).hash(_SEED)).otherwise(OTHER)
    return statements.with_columns(
        _topic(statements["kind"].unique().to_list()), content.cast(pl.UInt64).alias("content")
    )


def repeats_of_latest(statements: pl.DataFrame, latest: LatestStatements) -> Mask:
    """Which statements say what the latest one about their topic says; `latest` takes over what was said last.

    Args:
        statements: `with_topics`, of one partition, in the order of the log, without retries of dated ones.
        latest: What was said before them.
    """
    _, said = latest.find(statements["topic"].to_numpy())
    before = pl.coalesce(pl.col("content").shift(1).over("topic"), pl.lit(pl.Series(said, dtype=pl.UInt64)))
    repeats = statements.select((pl.col("content") == before) & (pl.col("content") != OTHER))["content"].to_numpy()
    last = statements.unique("topic", keep="last")
    latest.put(last["topic"].to_numpy(), last["content"].to_numpy())
    return repeats


def landed_statements(lake: Lake, spans: Spans, *, day: date) -> pl.DataFrame:
    """The latest landed statement (`with_topics`) about each topic of undated ones, among rows from a day on."""
    if not lake.exists(FEEDBACK):
        return _nothing()
    rows = lake.scan(FEEDBACK).filter(pl.col("landed_on") >= day)
    parts = lake.in_parts(
        FEEDBACK, rows.filter("undated").select(COLUMNS)
    )  # by nothing else: files know where it is null
    undated = [with_topics(part.filter(within(spans) & pl.col("kind").is_in(list(STATEMENTS)))) for part in parts]
    topics = pl.concat([_nothing(), *undated])
    return latest_about(lake, spans, topics["topic"], kinds=topics["kind"].unique(), day=day)


def latest_about(lake: Lake, spans: Spans, topics: pl.Series, *, kinds: pl.Series, day: date) -> pl.DataFrame:
    """The latest landed statement (`with_topics`) about each of some topics, among rows from a day on."""
    latest = _nothing()
    if topics.is_empty():
        return latest
    rows = lake.scan(FEEDBACK).filter(
        (pl.col("landed_on") >= day) & pl.col("kind").is_in(kinds.to_list()) & within(spans)
    )
    asked = topics.unique().implode()
    for part in lake.in_parts(FEEDBACK, rows.select(COLUMNS)):
        found = pl.concat([latest, with_topics(part).filter(pl.col("topic").is_in(asked))])
        latest = found.sort(PLACE).unique("topic", keep="last", maintain_order=True)
    return latest


def _topic(kinds: list[str]) -> pl.Expr:
    """A hash of kind, owner and the fields that the kind is about."""
    about = pl.lit("")
    for fields in {STATEMENTS[kind] for kind in kinds if STATEMENTS[kind]}:
        mine = [kind for kind in kinds if STATEMENTS[kind] == fields]
        values = pl.concat_str([_field(name).fill_null("") for name in fields], separator="\0")
        about = pl.when(pl.col("kind").is_in(mine)).then(values).otherwise(about)
    owner = owner_column()
    return pl.concat_str("kind", owner, about, separator="\0").hash(_SEED).alias("topic")


def _field(name: str) -> pl.Expr:
    column = COLUMN_OF_FIELD.get(name, name)
    if column in AdmittedEvent.__struct_fields__:
        return pl.col(column)
    return pl.col("payload").str.json_path_match(f"$.{column}")


def _nothing() -> pl.DataFrame:
    empty = pl.from_arrow(FEEDBACK.schema.empty_table())
    assert isinstance(empty, pl.DataFrame)
    return with_topics(empty.select(COLUMNS))
