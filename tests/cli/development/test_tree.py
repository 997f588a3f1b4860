"""The shape of the tree is checked, and this tree has it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from cli.development.develop import PACKAGES
from cli.development.tree import (
    FILE_LINES,
    FOLDER_FILES,
    FUNCTION_LINES,
    LONG_FUNCTIONS,
    circle,
    imports_of,
    read_sources,
    shape_faults,
)
from feedback.settings.source import ROOT


def function(lines: int, name: str = "f") -> str:
    return f"def {name}():\n" + "    pass\n" * (lines - 1)


def test_this_tree_is_in_shape() -> None:
    assert shape_faults(read_sources(ROOT, (*PACKAGES, "tests"))) == []


def test_no_module_of_this_tree_imports_itself_by_way_of_others() -> None:
    assert circle(imports_of(PACKAGES)) == []


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        ({"a.py": "".join(function(FUNCTION_LINES + 1, f"f{n}") for n in range(LONG_FUNCTIONS))}, "a.py: 410 lines"),
        ({f"{n}/a.py": function(FUNCTION_LINES + 1) for n in range(LONG_FUNCTIONS + 1)}, "11 functions have more"),
        ({"a.py": "\n" * (FILE_LINES + 1)}, "a.py: 351 lines"),
        ({f"b/{n}.py": "" for n in range(FOLDER_FILES + 1)}, "b/: 17 files"),
    ],
    ids=["as many functions as may be long", "one more", "file", "folder"],
)
def test_what_is_too_long_or_too_full_is_named(sources: dict[str, str], words: str) -> None:
    assert shape_faults(sources)[0].startswith(words)


def test_what_just_fits_is_fine() -> None:
    files = {f"b/{n}.py": "" for n in range(FOLDER_FILES)}

    assert shape_faults({**files, "a.py": function(FUNCTION_LINES), "c.py": "\n" * FILE_LINES}) == []


def test_a_circle_is_told_in_the_order_of_its_imports() -> None:
    imports = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    found = circle(imports)

    assert len(found) == 4
    assert all(then in imports[first] for first, then in pairwise(found))
