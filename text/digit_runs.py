"""Runs of digits in a text: groups of digits with blanks, dashes, dots, slashes or brackets between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from text.sensitive import DASHES, DIGITS, SPACES, ZERO_WIDTH

SEPARATORS = rf"{SPACES}{DASHES}{ZERO_WIDTH}.\u00b7\u2022/()\uff08\uff09"
"""What may stand between the groups of one number, for a character class."""

LEAST_DIGITS = 7
_WITHOUT_DOT = SEPARATORS.replace(".", "")
_RUN = re.compile(rf"\d(?:(?:[{_WITHOUT_DOT}]|\.(?![{SPACES}])){{0,4}}+\d)++")
_GROUP = re.compile(r"\d+")
_INVISIBLE = re.compile(f"[{ZERO_WIDTH}]")


@dataclass(frozen=True, slots=True)
class Run:
    """A run of digit groups: where each starts and ends in the text, their ASCII digits, and what stands between."""

    text: str
    spans: tuple[tuple[int, int], ...]
    groups: tuple[str, ...]
    gaps: tuple[str, ...]
    """One fewer than groups; without characters of no width."""


def digit_runs(text: str) -> Iterator[Run]:
    """Runs of `LEAST_DIGITS` digits or more, in order."""
    for match in _RUN.finditer(text):
        run = _run(text, match)
        if sum(map(len, run.groups)) >= LEAST_DIGITS:
            yield run


def _run(text: str, match: re.Match[str]) -> Run:
    spans: list[tuple[int, int]] = []
    groups: list[list[str]] = []
    gaps: list[str] = []
    for group in _GROUP.finditer(text, match.start(), match.end()):
        between = _INVISIBLE.sub("", text[spans[-1][1] : group.start()]) if spans else ""
        if spans and not between:  # a number that was parted by characters without width
            spans[-1] = (spans[-1][0], group.end())
            groups[-1].append(group[0])
            continue
        if spans:
            gaps.append(between)
        spans.append(group.span())
        groups.append([group[0]])
    return Run(text, tuple(spans), tuple("".join(parts).translate(DIGITS) for parts in groups), tuple(gaps))
