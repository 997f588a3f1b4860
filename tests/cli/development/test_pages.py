"""The generated pages are what their sources say now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.development.pages import PAGES
from cli.development.type_words import fields_of
from cli.sizes import size_words
from feedback.settings.home import setting_names


@pytest.mark.parametrize(("page", "write"), PAGES.items(), ids=[path.stem for path in PAGES])
def test_a_page_is_what_its_source_says(page: Path, write: Callable[[], str]) -> None:
    assert page.read_text(encoding="utf-8") == write(), "run `.venv/bin/python -m cli.development.pages`"


@pytest.mark.parametrize("section", setting_names().sections)
def test_every_setting_has_a_complete_row(section: str) -> None:
    page = (next(path for path in PAGES if path.stem == "settings")).read_text(encoding="utf-8")
    rows = {line.split(" | ")[1]: line for line in page.splitlines() if line.startswith("| `") and " | " in line}

    for field in fields_of(setting_names().sections[section]):
        cells = rows[f"`HEED_{section.upper()}_{field.name.upper()}`"].strip("| ").split(" | ")
        assert cells[0] == f"`{field.name}`"
        assert len(cells) == 6
        assert all(cell.strip() for cell in cells)


def test_sizes_are_told_in_whole_units() -> None:
    assert [size_words(n) for n in (32 * 1024 * 1024, 256 * 1024, 1500)] == ["32 MiB", "256 KiB", "1,500 bytes"]
