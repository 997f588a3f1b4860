"""What the pages name is there: links, files, modules, commands and variables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.development.bench import bench
from cli.development.develop import PACKAGES
from cli.main import COMMANDS
from feedback.settings.source import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
MADE_UP = {"gateway.kinds_api.PART"}
WORDS_OF_PAGES = {page: page.read_text(encoding="utf-8") for page in PAGES}


def found(pattern: str) -> Iterator[tuple[Path, str]]:
    for page, words in WORDS_OF_PAGES.items():
        for name in re.findall(pattern, words):
            yield page, name


def test_every_link_to_a_page_or_file_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page, link in found(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
        if not (page.parent / link).exists()
    ]

    assert broken == []


@pytest.mark.parametrize("ending", ["py", "md", ""], ids=["files", "pages", "folders"])
def test_every_path_in_the_tree_is_there(ending: str) -> None:
    top = "|".join((*PACKAGES, "tests", "docs"))
    tail = rf"\.{ending}`" if ending else "/`"
    named = found(rf"`((?:{top})/[\w/]*{tail[:-1]})`")

    assert [f"{page.name}: {path}" for page, path in named if not (ROOT / path).exists()] == []


def test_every_module_is_there() -> None:
    named = found(rf"`((?:{'|'.join(PACKAGES)})(?:\.\w+){{2,}})`")

    assert [f"{page.name}: {name}" for page, name in named if name not in MADE_UP and not _is_in_the_tree(name)] == []


def test_every_command_and_benchmark_exists() -> None:
    commands = found(r"(?:\./|`|^ {4}|\n {4})heed ([a-z][a-z-]+)")
    benchmarks = found(r"heed bench ([a-z]+)")

    assert [f"{page.name}: heed {name}" for page, name in commands if name not in COMMANDS] == []
    known = bench.list_commands(None)  # type: ignore[arg-type]
    assert [f"{page.name}: heed bench {name}" for page, name in benchmarks if name not in known] == []


def _is_in_the_tree(name: str) -> bool:
    """Whether it is a module, or a name in one."""
    path = ROOT.joinpath(*name.split("."))
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    module = path.parent.with_suffix(".py")
    return module.is_file() and re.search(rf"\b{path.name}\b", module.read_text(encoding="utf-8")) is not None
