"""Encode events for the online store in columns, and decode those of one person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

PERSONAL_KINDS = (
    "rating", "review", "reaction", "survey",
    "view", "click", "dwell", "scroll", "skip", "hide", "follow", "bookmark", "share",
    "add_to_cart", "purchase", "return",
)  # fmt: skip
"""Kinds that can say something about an item; the others are not kept online."""


class RecentEvent(msgspec.Struct, frozen=True, array_like=True):
    """One recent event of a person; `occurred_at` in microseconds since 1970 (UTC).

    As JSON an array, which ends before the last four where all of them are null.
    """

    log_partition: int
    log_offset: int
    log_index: int
    kind: str
    item_id: str
    occurred_at: int
    value: float | None = None
    scale_min: float | None = None
    scale_max: float | None = None
    label: str | None = None


class OnlinePerson(NamedTuple):
    """Facts about the person behind a subject."""

    subjects: list[str]
    """Whose history is this one's: those of the same person, and every visit that it claims."""
    is_personal: bool
    """Whether lists may be personal: none of them, nor who claims it, withdrew `personalization`."""
    is_crowd: bool = False
    """Whether more subjects are linked than a list looks at; it is not personal then."""


ONLINE_COLUMNS = ("subject", *RecentEvent.__struct_fields__)
"""The kept part of an event: its subject, and the event."""

_ALWAYS = RecentEvent.__struct_fields__[:6]
_SELDOM = RecentEvent.__struct_fields__[6:]
_NUMBERS = ("value", "scale_min", "scale_max")

EVENTS_AT_ONCE = 50_000
"""Events that are written as JSON together; each of their columns is a text of its own meanwhile."""

_DECODER = msgspec.json.Decoder(list[RecentEvent])


class EncodedEvents:
    """Events in the order of the log: whose each is, and its entry (UTF-8).

    An entry is a line: a line break, the subject as JSON, a tab, the event as a JSON array. JSON has neither raw.
    """

    __slots__ = ("entries", "subjects")

    def __init__(self, subjects: pa.LargeStringArray, entries: pa.LargeStringArray) -> None:
        """Keep both; they are as long as each other."""
        self.subjects = subjects
        self.entries = entries

    def __len__(self) -> int:
        return len(self.subjects)


def online_rows(feedback: pl.DataFrame) -> pl.DataFrame:
    """Of landed rows, those that the store keeps, in its columns; times become microseconds."""
    return (
        feedback.filter(
            pl.col("kind").is_in(PERSONAL_KINDS) & pl.col("subject").is_not_null() & pl.col("item_id").is_not_null()
        )
        .select(ONLINE_COLUMNS)
        .with_columns(pl.col("occurred_at").dt.epoch("us"))
    )


def beyond(rows: pl.DataFrame, positions: Mapping[int, int]) -> pl.DataFrame:
    """Rows at or after the positions of their partitions."""
    if not positions or rows.is_empty():
        return rows
    below = [(pl.col("log_partition") == p) & (pl.col("log_offset") < position) for p, position in positions.items()]
    return rows.filter(~pl.any_horizontal(below))


def encoded(rows: pl.DataFrame) -> EncodedEvents:
    """Events (`ONLINE_COLUMNS`) as entries, in columns."""
    says_more = rows.select(pl.any_horizontal(pl.col(_SELDOM).is_not_null()).alias("more"))["more"]
    subjects: list[pa.LargeStringArray] = []
    entries: list[pa.LargeStringArray] = []
    for part, columns in ((rows.filter(~says_more), _ALWAYS), (rows.filter(says_more), (*_ALWAYS, *_SELDOM))):
        for piece in part.iter_slices(EVENTS_AT_ONCE):
            subjects.append(_arrow(piece["subject"]))
            entries.append(_entries(piece, columns))
    empty = pa.array([], pa.large_string())
    return EncodedEvents(pa.concat_arrays([empty, *subjects]), pa.concat_arrays([empty, *entries]))


def entry_of(subject: str, event: RecentEvent) -> str:
    """One event's entry."""
    return (name_of(subject) + msgspec.json.encode(event)).decode()


def name_of(subject: str) -> bytes:
    """How the entries of a subject begin."""
    return b"\n" + msgspec.json.encode(subject) + b"\t"


def decoded(texts: Iterable[bytes]) -> list[RecentEvent]:
    """Events from their JSON."""
    return _DECODER.decode(b"[" + b",".join(texts) + b"]")


def bounds_of(texts: pa.LargeStringArray) -> npt.NDArray[np.int64]:
    """Where each text begins in `bytes_of`, and where the last one ends."""
    whole: Any = texts.buffers()[1]
    return np.frombuffer(whole, np.int64)[texts.offset : texts.offset + len(texts) + 1]


def bytes_of(texts: pa.LargeStringArray) -> memoryview:
    """The texts one after the other (UTF-8), without a copy."""
    whole: Any = texts.buffers()[2]
    return memoryview(b"" if whole is None else whole)


def _entries(rows: pl.DataFrame, columns: Sequence[str]) -> pa.LargeStringArray:
    """Each row as an entry; literals that meet are joined first, for each costs a pass over all rows."""
    pieces: list[Any] = ["\n", *_json_of(rows["subject"]), "\t["]
    for name in columns:
        pieces += [*_json_of(rows[name]), ","]
    pieces[-1] = "]"
    texts: list[Any] = [
        run if isinstance(run, pa.Array) else pa.scalar(run, pa.large_string())
        for is_literal, group in groupby(pieces, lambda piece: isinstance(piece, str))
        for run in (["".join(group)] if is_literal else group)
    ]
    joined: pa.LargeStringArray = pc.binary_join_element_wise(*texts, pa.scalar("", pa.large_string()))
    return joined


def _json_of(values: pl.Series) -> list[Any]:
    """One column as pieces of JSON, literals and arrays of texts.

    It is looked at as a whole first, since most columns need no care.
    """
    if values.dtype != pl.String:
        if values.name in _NUMBERS and not values.is_finite().all():
            values = pl.select(pl.when(values.is_finite()).then(values)).to_series()
        found = _arrow(values).cast(pa.large_string())
        return [found.fill_null("null") if values.null_count() else found]
    text = _arrow(values)
    needs_escape = _needs_escape(text)
    if not needs_escape and not values.null_count():
        return ['"', text, '"']
    if not needs_escape:
        quoted = pl.concat_str(pl.lit('"'), pl.lit(values), pl.lit('"'))
    else:
        quoted = (
            pl.struct(pl.lit(values).alias("x")).struct.json_encode().str.strip_prefix('{"x":').str.strip_suffix("}")
        )
    return [_arrow(pl.select(pl.when(values.is_not_null()).then(quoted).otherwise(pl.lit("null"))).to_series())]


def _needs_escape(text: pa.LargeStringArray) -> bool:
    """Whether a quote, a backslash or a control character is anywhere in it."""
    data = np.frombuffer(bytes_of(text), np.uint8)
    return bool(((data < 0x20) | (data == 0x22) | (data == 0x5C)).any())


def _arrow(values: pl.Series) -> Any:  # noqa: ANN401 - an array of the column's type
    return values.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
