"""The demo's chapters by name; each is a function that gets the stage and returns an exit code."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from cli.output import Output
from feedback.errors import UsageError
from feedback.settings.home import Settings


@dataclass(frozen=True, slots=True)
class Stage:
    """The context of a chapter: a fresh home, the output, and whether to use the small data set."""

    settings: Settings
    output: Output
    small: bool


@dataclass(frozen=True, slots=True)
class Chapter:
    """One chapter: what it shows, in a few words, and its function as `module:name`, imported when it is played."""

    what: str
    function: str


DEFAULT_CHAPTER = "loop"
CHAPTERS: dict[str, Chapter] = {
    "loop": Chapter("feedback comes in, is learned from, and changes a list: the whole loop", "cli.demo.demo:loop"),
}


def find_chapter(name: str) -> Callable[[Stage], int]:
    """The function of a chapter.

    Raises:
        UsageError: There is none of that name.
    """
    chapter = CHAPTERS.get(name)
    if chapter is None:
        raise UsageError(f"heed demo {name}: there is no such chapter; there are: {', '.join(CHAPTERS)}")
    module, _, function = chapter.function.partition(":")
    found: Callable[[Stage], int] = getattr(importlib.import_module(module), function)
    return found
