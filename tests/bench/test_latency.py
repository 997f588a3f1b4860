"""When an event landed, read back from the lake: the commit that holds it, not a later one."""

from __future__ import annotations

from pathlib import Path

from bench.drains.latency import landing_times
from feedback.settings.home import load_settings
from lakehouse.commit import LandingCommitter
from lakehouse.lake import open_lake
from lakehouse.tables.feedback import FEEDBACK
from tests.conftest import NOW
from tests.lakehouse.rows import batch


def test_an_event_landed_when_the_commit_with_its_offset_got_its_name(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    lake = open_lake(settings)
    committer = LandingCommitter(lake, settings.log.name, settings.log.partitions)
    for start, end, partition in ((0, 2, 0), (0, 1, 1), (2, 3, 0)):
        committer.commit(batch(start, end, partition=partition), at=NOW)
    log = Path(lake.uri(FEEDBACK)) / "_delta_log"
    visible = [(log / f"{version:020}.json").stat().st_ctime for version in (1, 2, 3)]

    assert landing_times(settings) == {
        "e0-0": visible[0],
        "e0-1": visible[0],
        "e1-0": visible[1],
        "e0-2": visible[2],
    }
