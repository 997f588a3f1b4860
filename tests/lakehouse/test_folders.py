"""Homes whose path holds what a URI cannot: they work, or are refused before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from beam_jobs.landing import drain
from feedback.errors import HomeError
from feedback.intake import open_intake
from feedback.settings.folders import REFUSED, refuse_unusable_folder
from feedback.settings.home import ensure_home, load_settings
from lakehouse.lake import open_lake
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.window_table import read_windows
from tests.support.landing.streaming import ratings


@pytest.mark.beam
def test_every_table_is_found_again_under_a_name_that_a_uri_encodes(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "my heed, é #1 'x' +~&@!$();:*")
    ensure_home(settings)
    intake = open_intake(settings)

    for start in (0, 10):  # the second landing reads what the first has written
        intake.submit(ratings(10, start=start))
        assert drain(settings).landed == 10

    lake = open_lake(settings)
    assert lake.scan(FEEDBACK).collect().height == 20
    assert all(Path(path).exists() for path in lake.file_uris(FEEDBACK))
    assert read_windows(lake, scope="all", size_seconds=3600)["events"].sum() == 20


@pytest.mark.parametrize("name", ["pct%41", *(f"a{sign}b" for sign in REFUSED.split()), "a\tb", "a\nb"])
def test_a_name_that_no_table_can_be_found_under_is_refused_at_once(tmp_path: Path, name: str) -> None:
    settings = load_settings(tmp_path / name)

    with pytest.raises(HomeError, match="cannot hold Delta tables: its path has the character"):
        ensure_home(settings)
    with pytest.raises(HomeError):
        open_lake(settings)
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a%b").mkdir()
    (tmp_path / "plain").symlink_to(tmp_path / "a%b")

    with pytest.raises(HomeError):
        refuse_unusable_folder(tmp_path / "plain" / "lake")


def test_tables_may_lie_elsewhere(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "a%41", lake_uri=str(tmp_path / "lake"))

    assert ensure_home(settings).exists()
