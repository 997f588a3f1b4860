from __future__ import annotations

from cli.development.contract_page import PAGE, contract_page


def test_the_contract_page_is_what_the_structs_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == contract_page(), (
        "run `.venv/bin/python -m cli.development.contract_page`"
    )
