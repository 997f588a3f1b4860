"""The commit of the chain, where another worker had the partitions and judged the same events differently."""

from __future__ import annotations

import polars as pl
import pytest

from beam_jobs.batch import Batch
from beam_jobs.sink import Commit
from beam_jobs.stages.decode import decode
from feedback.errors import Code
from feedback.settings.home import Settings
from lakehouse.commit import LandingCommitter
from lakehouse.lake import Lake, open_lake
from lakehouse.landed.audit import audit
from lakehouse.landed.continuity import open_landed_log
from tests.conftest import NOW
from tests.support.landing.lines import line, poll


class Died(Exception):
    """What a worker meets in place of its end."""


def batch(at: int, *ids: str) -> Batch:
    """A record at an offset, with an event of each id."""
    events = decode(poll(*(line(id=one) for one in ids)))
    places = events.events.with_columns(pl.lit(at, pl.Int64).alias("log_offset"))
    return Batch(places, {0: at}, {0: at + 1}, events.lines)


def takeover(at: int) -> Batch:
    return Batch(batch(at, "e").events.clear(), {0: at}, {0: at})


def refused(batch: Batch, *ids: str) -> Batch:
    """The same batch as a stage sees it that refuses some events."""
    reasons = batch.events.select(pl.when(pl.col("id").is_in(ids)).then(pl.lit("no")).alias("r"))["r"]
    return batch.refuse(reasons, Code.CONTRACT_BROKEN)


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return open_lake(settings)


@pytest.fixture
def commit(settings: Settings) -> Commit:
    sink = Commit(settings, "none")
    sink.setup()
    return sink


def another(settings: Settings, lake: Lake, *, dies: bool) -> LandingCommitter:
    """Another worker, which dies between its two commits."""

    def die(point: str) -> None:
        if dies and point == "between tables":
            raise Died

    log = open_landed_log(settings)
    log.close()
    return LandingCommitter(lake, log.name, log.partitions, fault=die)


def test_a_worker_that_gets_a_partition_back_sees_what_another_left_half_done(
    settings: Settings, lake: Lake, commit: Commit
) -> None:
    """The other one refused an event and died; by this one's stages all may land."""
    for one in (takeover(0), refused(batch(0, "a", "b"), "b"), refused(batch(1, "c", "d"), "d")):
        list(commit.process(one))
    with pytest.raises(Died):
        another(settings, lake, dies=True).commit(refused(batch(2, "e", "f"), "e").to_commit(), at=NOW)

    passed = [done for one in (takeover(2), batch(2, "e", "f")) for done in commit.process(one)]

    assert audit(lake, "feedback", bounds={0: (0, 3)}).holds
    assert passed[-1].events["id"].to_list() == ["f"], "followers get what is in the table"


def test_followers_read_from_the_tables_what_another_worker_has_landed(
    settings: Settings, lake: Lake, commit: Commit
) -> None:
    another(settings, lake, dies=False).commit(refused(batch(0, "a", "b"), "a").to_commit(), at=NOW)

    (passed,) = commit.process(batch(0, "a", "b"))

    assert passed.events.is_empty()
    assert (passed.start, passed.end) == ({0: 1}, {0: 1})
