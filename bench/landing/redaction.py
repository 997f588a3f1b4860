"""Redaction: recall and precision on texts with planted data of many countries, and processor time.

The texts are made from a seed that was not looked at while the rules were written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import click
import polars as pl

from bench.figures import Figure, at_least, below, exactly, reported
from bench.redacting.samples import samples
from bench.redacting.scoring import score
from text.redaction import redact_column, redact_text
from text.sensitive import Sensitive

TEXTS = 20_000
SEED = 20_261_125
PLAIN_TEXTS = 100_000
SHARE_WITH_DATA = 0.02
"""How many of the texts whose cost is measured hold something; of 14,485 tweets to airlines it is .003."""
LONG_TEXT = 1_000_000
LEAST_RECALL, LEAST_PRECISION = 0.98, 0.95
MOST_MICROSECONDS = 8.0

OPTIONS = (
    click.Option(["--texts"], type=click.IntRange(min=100), default=TEXTS, show_default=True, help="Texts to judge."),
    click.Option(["--seed"], type=int, default=SEED, show_default=True, help="Seed of the texts."),
)


def run(report: Callable[[str], None], *, texts: int = TEXTS, seed: int = SEED) -> Iterator[Figure]:
    """Recall and precision by type, exactness, idempotence, and processor time per text."""
    made = list(samples(texts, seed=seed))
    report("redacting texts with planted data")
    total = score(made)
    for kind in Sensitive:
        planted = total.found[kind] + total.missed[kind]
        yield reported(f"{kind.value}: planted", planted)
        yield reported(f"{kind.value}: recall", total.recall(kind))
        yield reported(f"{kind.value}: precision", total.precision(kind))
    yield at_least("recall", total.recall(), LEAST_RECALL)
    yield at_least("precision", total.precision(), LEAST_PRECISION)
    yield reported("texts that read as they should to the last character", total.exact / total.texts)
    report("redacting once more")
    once = [redact_text(sample.text, region=sample.region)[0] for sample in made]
    again = sum(redact_text(text, region=sample.region)[0] != text for text, sample in zip(once, made, strict=True))
    yield exactly("texts that a second redaction changes", again)
    report("measuring")
    yield from _costs([sample.text for sample in made if sample.planted])


def _costs(with_data: list[str]) -> Iterator[Figure]:
    """Processor time of a column of reviews, some of which hold something, and of long hostile texts."""
    plain = ["arrived late but the colour is lovely and it fits well", "size 42, 39.90 €, would buy again 2024!"]
    count = round(PLAIN_TEXTS * SHARE_WITH_DATA)
    held = (with_data * (count // len(with_data) + 1))[:count]
    column = pl.Series("text", [*(plain * (PLAIN_TEXTS // 2))[: PLAIN_TEXTS - count], *held])
    yield below(f"a text, {SHARE_WITH_DATA:.0%} with data", _microseconds(column), MOST_MICROSECONDS, unit="µs")
    yield reported("a text without data", _microseconds(column.head(PLAIN_TEXTS - count)), unit="µs")
    yield reported("a text with data and near misses", _microseconds(pl.Series("text", held)), unit="µs")
    for name, piece in (
        ("digits", "12 "),
        ("numbers", "0171 1234567 "),
        ("addresses", "a@b.c "),
        ("IBANs", "DE89 3704 "),
    ):
        long = pl.Series("text", [(piece * (LONG_TEXT // len(piece) + 1))[:LONG_TEXT]])
        yield reported(f"a text of a million characters, {name}", _microseconds(long) / 1e6, unit="s")


def _microseconds(column: pl.Series) -> float:
    """Processor time per text, the least of three."""
    spent = []
    for _ in range(3):
        before = time.process_time()
        redact_column(column)
        spent.append(time.process_time() - before)
    return min(spent) / len(column) * 1e6
