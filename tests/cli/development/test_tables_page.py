from __future__ import annotations

from cli.development.tables_page import PAGE, tables_page


def test_the_page_of_tables_is_what_the_specs_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == tables_page(), "run `.venv/bin/python -m cli.development.tables_page`"
