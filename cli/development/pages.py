"""The generated pages of docs/: what they are written from stays their one home.

`python -m cli.development.pages` renews them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cli.development import contract_page, settings_page, tables_page

PAGES: Mapping[Path, Callable[[], str]] = {
    contract_page.PAGE: contract_page.contract_page,
    settings_page.PAGE: settings_page.settings_page,
    tables_page.PAGE: tables_page.tables_page,
}

if __name__ == "__main__":
    for path, write in PAGES.items():
        path.write_text(write(), encoding="utf-8")
