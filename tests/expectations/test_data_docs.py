from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from expectations.data_docs import write_data_docs
from expectations.suites.registry import SUITES
from feedback.errors import HomeError
from tests.expectations.frames import broken, good_feedback, good_items


def test_the_site_has_a_front_page_and_a_page_for_each_suite(tmp_path: Path) -> None:
    frames = {SUITES["feedback"]: good_feedback(), SUITES["items"]: broken(good_items(), 0, price=-5.0)}

    documented = write_data_docs(tmp_path / "site", frames, catalogue=pl.Series("item_id", ["item-0"]))

    assert [(one.suite, one.expectations - one.met) for one in documented] == [("feedback", 0), ("items", 1)]
    pages = [path.name for path in (tmp_path / "site").rglob("*.html")]
    assert {"index.html", "feedback.html", "items.html"} <= set(pages)
    assert "feedback" in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")


def test_the_site_is_written_afresh_each_time(tmp_path: Path) -> None:
    for _ in range(2):
        write_data_docs(tmp_path, {SUITES["items"]: good_items()})

    assert len(list((tmp_path / "validations").rglob("*.html"))) == 1


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(HomeError, match="file/site"):
        write_data_docs(tmp_path / "file" / "site", {SUITES["items"]: good_items()})
