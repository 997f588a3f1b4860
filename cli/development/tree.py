"""The shape of the source tree: short functions and files, few files per folder, no import circle."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath

FUNCTION_LINES = 40
LONG_FUNCTIONS = 10
"""How many functions of the tree may be longer: some settings and wirings read best in one piece."""
FILE_LINES = 350
FOLDER_FILES = 16


def shape_faults(sources: Mapping[str, str]) -> list[str]:
    """What is too long or too full.

    Args:
        sources: Each Python file's text, by its path relative to the root.
    """
    long = sorted(place for name, text in sources.items() for place in long_functions(name, text))
    faults = [f"{len(long)} functions have more than {FUNCTION_LINES} lines, not {LONG_FUNCTIONS} at most:", *long]
    faults = faults if len(long) > LONG_FUNCTIONS else []
    counts = {name: len(text.splitlines()) for name, text in sorted(sources.items())}
    faults += [f"{name}: {n} lines, not {FILE_LINES} at most" for name, n in counts.items() if n > FILE_LINES]
    folders = Counter(str(PurePosixPath(name).parent) for name in sources)
    faults += [f"{name}/: {n} files, not {FOLDER_FILES} at most" for name, n in folders.items() if n > FOLDER_FILES]
    return faults


def long_functions(name: str, text: str) -> Iterator[str]:
    """The functions of a file that have more than `FUNCTION_LINES` lines."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{name}:{node.lineno}: {node.name} has {lines} lines"


def circle(imports: Mapping[str, Set[str]]) -> list[str]:
    """Modules that import each other in a circle, the first again at the end; empty where there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found[::-1]
    return []


def imports_of(packages: tuple[str, ...]) -> dict[str, Set[str]]:
    """By module, the modules that it imports when it is loaded or when it runs; annotations aside."""
    import grimp

    graph = grimp.build_graph(*packages, exclude_type_checking_imports=True, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def read_sources(root: Path, folders: tuple[str, ...]) -> dict[str, str]:
    """Every Python file below the folders, by its path relative to the root."""
    paths = (path for folder in folders for path in sorted((root / folder).rglob("*.py")))
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in paths}
