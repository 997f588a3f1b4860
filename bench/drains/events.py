"""Generate lines of the feedback log: ratings with text and context, reproducible by seed, in bounded memory.

People are drawn from a heavy-tailed population and items likewise; an id is unique but for a share of repeats, each of
which sends an earlier line once more. Everything is made in columns, a chunk at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from feedback.admitted import CONTRACT_VERSION
from feedback.log.port import partition_of
from feedback.subjects import SUBJECT_LENGTH

CHUNK_EVENTS = 50_000
PEOPLE = 100_000
ITEMS = 3_700
TAIL, FLAT_HEAD = 1.1, 100
"""A rank's popularity is (rank + FLAT_HEAD) ** -TAIL: a tenth of the people send three quarters of the events."""

REPEATS = 0.02
LOOK_BACK = 4
"""Chunks from which repeats are drawn."""

EVENTS_PER_SECOND = 10_000
"""How fast the events' own clock runs."""

_WORDS = """
arrived late but the colour is lovely and it fits well would buy again not what I expected sturdy box the size runs
small good value my son likes it battery lasts long too loud at night easy to clean broke after two weeks
"""
_WORDS_PER_TEXT = 8
_TAGS = (10**15, 10**16)
"""Random digits in an id, so that ids pack as badly as real ones."""

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Event lines in the order in which they are sent, and the partition of each."""

    lines: list[bytes]
    partitions: list[int]


def rating_chunks(events: int, *, partitions: int, seed: int, first_at_us: int) -> Iterator[Chunk]:
    """So many ratings in chunks.

    Args:
        events: How many, repeats included.
        partitions: Of the log; a person's events share one.
        seed: The same seed gives the same lines.
        first_at_us: When the first event occurred, in microseconds since 1970.
    """
    rng = np.random.default_rng(seed)
    people = _population(rng, partitions)
    earlier: list[pl.DataFrame] = []
    for start in range(0, events, CHUNK_EVENTS):
        count = min(CHUNK_EVENTS, events - start)
        made = _lines(rng, people, np.arange(start, start + count), first_at_us)
        if earlier:
            pool = pl.concat(earlier)
            at = rng.choice(count, size=round(count * REPEATS), replace=False)
            again = pool[rng.integers(0, pool.height, size=len(at))]
            kept = made.with_row_index().filter(~pl.col("index").is_in(at)).drop("index")
            made = pl.concat([kept, again])[rng.permutation(count)]
        earlier = [*earlier, made][-LOOK_BACK:]
        yield Chunk(made["line"].cast(pl.Binary).to_list(), made["partition"].to_list())


def _population(rng: np.random.Generator, partitions: int) -> pl.DataFrame:
    """Pseudonyms and their partitions, the most active person first."""
    digits = rng.bytes(PEOPLE * SUBJECT_LENGTH // 2).hex()
    subjects = [digits[at : at + SUBJECT_LENGTH] for at in range(0, len(digits), SUBJECT_LENGTH)]
    return pl.DataFrame({"subject": subjects, "partition": [partition_of(s, partitions) for s in subjects]})


def _lines(rng: np.random.Generator, people: pl.DataFrame, numbers: Numbers, first_at_us: int) -> pl.DataFrame:
    """(line, partition) of events with these numbers, none of them a repeat."""
    count = len(numbers)
    who = people[_ranks(rng, PEOPLE, count)]
    occurred = first_at_us + numbers * (1_000_000 // EVENTS_PER_SECOND) + rng.integers(0, 100, count)
    fields: dict[str, pl.Series | str] = {
        "v": str(CONTRACT_VERSION),
        "id": _quoted(_text(numbers) + "-" + _text(rng.integers(*_TAGS, count))),
        "kind": '"rating"',
        "subject": _quoted(who["subject"]),
        "item_id": _quoted(_ranks(rng, ITEMS, count)),
        "occurred_at": _text(occurred),
        "received_at": _text(occurred + rng.integers(20_000, 400_000, count)),
        "source": _one_of(rng, count, "web", "app"),
        "value": pl.Series(rng.integers(1, 6, count)).cast(pl.Float64).cast(pl.String),
        "scale_min": "1.0",
        "scale_max": "5.0",
        "text": _texts(rng, count),
        "device": _one_of(rng, count, "phone", "desktop", "tablet"),
        "country": _one_of(rng, count, "DE", "FR", "US", "BR", "JP"),
    }
    columns = {name: values for name, values in fields.items() if isinstance(values, pl.Series)}
    members = [pl.lit(f'"{name}":') + (pl.col(name) if name in columns else pl.lit(fields[name])) for name in fields]
    line = pl.concat_str(pl.lit("{"), pl.concat_str(members, separator=","), pl.lit("}"))
    return pl.DataFrame(columns).select(line.alias("line"), who["partition"])


def _ranks(rng: np.random.Generator, population: int, count: int) -> Numbers:
    """Ranks drawn by a power law that is cut at the population's end."""
    weight = np.cumsum(np.arange(FLAT_HEAD, FLAT_HEAD + population, dtype=np.float64) ** -TAIL)
    found: Numbers = np.searchsorted(weight, rng.random(count) * weight[-1]).astype(np.int64)
    return found


def _text(numbers: Numbers) -> pl.Series:
    return pl.Series(numbers).cast(pl.String)


def _quoted(values: object) -> pl.Series:
    series = pl.Series(values).cast(pl.String)  # type: ignore[arg-type]
    return ('"' + series + '"').alias("q")


def _one_of(rng: np.random.Generator, count: int, *words: str) -> pl.Series:
    return _quoted(words)[rng.integers(0, len(words), count)]


def _texts(rng: np.random.Generator, count: int) -> pl.Series:
    drawn = rng.integers(0, len(_WORDS.split()), size=(_WORDS_PER_TEXT, count))
    words = pl.Series(_WORDS.split())
    frame = pl.DataFrame({f"w{at}": words[row] for at, row in enumerate(drawn)})
    return _quoted(frame.select(pl.concat_str(frame.columns, separator=" ")).to_series())
