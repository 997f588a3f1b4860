"""Cards and telephone numbers among the runs of digits of a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from text.digit_runs import LEAST_DIGITS, Run, digit_runs
from text.number_cues import AFTER_CHARS, BEFORE_CHARS, Cue, cue_after, is_amount
from text.payment import CARD_DIGITS, is_card
from text.phones import MOST_DIGITS, is_in_date, is_in_fours, is_international, is_national, may_start
from text.sensitive import Sensitive
from text.surroundings import CODE_AFTER, EXTENSION, INVISIBLE, Around, look_around

MOST_LOOKS = 2_000
"""How often one text's words and countries' plans are consulted; beyond that, shapes alone decide."""

MOST_GROUPS, MOST_CARD_GROUPS, MOST_ASIDE = 7, 5, 3
CARD_GROUPS = frozenset(
    {
        (4, 4, 4, 4),
        (4, 6, 5),
        (4, 6, 4),
        (4, 4, 5),
        (4, 4, 4, 4, 3),
        (4, 4, 4, 2),
        (4, 4, 4, 1),
        (6, 13),
        (8, 8),
        (6, 10),
    }
)

Hit = tuple[int, int, Sensitive]
"""Where it starts, where it ends, and what it is."""


def redact_numbers(
    text: str, types: Collection[Sensitive], *, region: str | None = None
) -> tuple[str, Counter[Sensitive]]:
    """Replace cards and telephone numbers by their marks; returns the text and how many of each there were.

    Args:
        text: What somebody wrote.
        types: Those of `CARD` and `PHONE` that are replaced.
        region: The writer's country (ISO 3166-1 alpha-2), where it is known.
    """
    counts: Counter[Sensitive] = Counter()
    kept: list[str] = []
    scan = _Scan(text, region)
    at = 0
    for run in digit_runs(text):
        for start, end, kind in scan.hits(run):
            if kind in types:
                kept += (text[at:start], kind.mark)
                counts[kind] += 1
                at = end
    return "".join([*kept, text[at:]]), counts


class _Scan:
    """Looks at the runs of one text from left to right."""

    def __init__(self, text: str, region: str | None) -> None:
        self._text = text
        self._region = region
        self._barrier, self._mark = 0, ""
        self._looks = 0

    def hits(self, run: Run) -> Iterator[Hit]:
        """What is in the run, in order."""
        first, around = 0, self._around(run, 0)
        while first < len(run.groups):
            found = self._card(run, first, around) or self._phone(run, first, around)
            if found is None:
                first += 1
                around = around.later()
                continue
            (start, self._barrier, kind), first = found
            self._mark = kind.mark
            yield start, self._barrier, kind
            if first < len(run.groups):
                around = self._around(run, first)

    def _around(self, run: Run, first: int) -> Around:
        """What is around a number that starts here; without a look at words once a text had its share of them."""
        self._looks += 1
        start = run.spans[first][0]
        low = max(self._barrier, start - BEFORE_CHARS)
        before = self._text[low:start]
        if low == self._barrier:  # as it reads once what was found is replaced
            before = self._mark + before
        return look_around(before, words=self._looks <= MOST_LOOKS)

    def _after(self, run: Run, end: int) -> str:
        at = run.spans[end - 1][1]
        return self._text[at : at + AFTER_CHARS]

    def _card(self, run: Run, first: int, around: Around) -> tuple[Hit, int] | None:
        if around.card_denied:
            return None
        digits, found = "", None
        for end in range(first + 1, min(first + MOST_CARD_GROUPS, len(run.groups)) + 1):
            digits += run.groups[end - 1]
            if len(digits) in CARD_DIGITS and _is_grouped_as_card(run, first, end) and is_card(digits):
                found = end
        if found is None or CODE_AFTER.match(self._after(run, found)):
            return None
        return (run.spans[first][0], run.spans[found - 1][1], Sensitive.CARD), found

    def _phone(self, run: Run, first: int, around: Around) -> tuple[Hit, int] | None:
        if first > 0 and not _is_soft(run.gaps[first - 1]) and not around.fresh:
            return None
        abroad = around.plus or (around.fresh and _dials_abroad(run, first))
        if not abroad and (is_in_fours(run, first) or is_in_date(run, first)):
            return None
        if not around.fresh and self._region is None and not may_start(run, first):
            return None
        start = run.spans[first][0]
        digits, ends = "", []
        for end in range(first + 1, min(first + MOST_GROUPS, len(run.groups)) + 1):
            digits += run.groups[end - 1]
            if len(digits) > MOST_DIGITS + 3:
                break
            ends_here = end == len(run.groups) or _is_soft(run.gaps[end - 1])
            if len(digits) >= LEAST_DIGITS and ends_here and not _is_aside(run, first, end):
                ends.append(end)
        ends.sort(key=lambda end: (_is_wide(run, first, end), -end))
        for end in ends:
            if self._is_phone(run, first, end, around):
                at = run.spans[end - 1][1]
                extension = EXTENSION.match(self._text, at) or INVISIBLE.match(self._text, at)
                inside = "".join(run.gaps[first : end - 1])
                closed = sum(map(inside.count, ")\uff09")) > sum(map(inside.count, "(\uff08"))
                start -= len(around.prefix if closed else around.prefix.lstrip("(\uff08"))
                return (start, extension.end() if extension else at, Sensitive.PHONE), end
        return None

    def _is_phone(self, run: Run, first: int, end: int, around: Around) -> bool:
        after = self._after(run, end) if end == len(run.groups) else ""
        if CODE_AFTER.match(after) and not EXTENSION.match(after):
            return False
        abroad = _dials_abroad(run, first)
        if (around.plus or abroad) and self._is_international(run, first, end, around):
            return True
        if around.plus or is_amount(after):
            return False
        cue = around.cue
        if after and cue is not Cue.PHONE and (behind := cue_after(after)) is not Cue.NONE:
            cue = behind if cue is Cue.NONE else cue
        if around.denied or (around.joined and not around.glued):
            return False
        opened = around.opened or (first > 0 and "(" in run.gaps[first - 1])
        self._looks += 1
        region = self._region if self._looks <= MOST_LOOKS else None
        return is_national(run, first, end, opened=opened, cue=cue, region=region)

    def _is_international(self, run: Run, first: int, end: int, around: Around) -> bool:
        digits = "".join(run.groups[first:end])
        if not around.plus:
            digits = digits[3:] if digits.startswith("011") else digits[2:]
        if not LEAST_DIGITS <= len(digits) <= MOST_DIGITS + 1:
            return False
        self._looks += 1
        if self._looks > MOST_LOOKS:
            return around.plus
        believed = around.plus or (around.cue is not Cue.OTHER and end - first > 1) or around.cue is Cue.PHONE
        return is_international(digits, strict=not believed)


def _dials_abroad(run: Run, first: int) -> bool:
    group = run.groups[first]
    return (group.startswith("00") and (len(group) > 2 or first + 1 < len(run.groups))) or group == "011"


def _is_wide(run: Run, first: int, end: int) -> bool:
    """Whether a dash between blanks stands in it, as between two things."""
    return any(
        len(gap) >= 3 and gap.strip() != gap and gap.strip() not in ("(", ")") for gap in run.gaps[first : end - 1]
    )


def _is_aside(run: Run, first: int, end: int) -> bool:
    """Whether the last group is short, or a year, and a bracket opens before it: `0800 1234567 (18+)`, `(1948)`."""
    last = run.groups[end - 1]
    is_year = len(last) == 4 and last[:2] in ("19", "20")
    return end - first > 1 and run.gaps[end - 2][-1] in "(\uff08" and (len(last) <= MOST_ASIDE or is_year)


def _is_soft(gap: str) -> bool:
    """Whether a number may end or start here: blanks, a slash or a bracket, not a dash or a dot alone."""
    return any(char.isspace() or char in "/(\uff08" for char in gap)


def _is_grouped_as_card(run: Run, first: int, end: int) -> bool:
    """In one piece, or in groups as cards print them, parted alike."""
    gaps = set(run.gaps[first : end - 1])
    if len(gaps) > 1 or any(len(gap.strip()) > 1 for gap in gaps):
        return False
    lengths = tuple(map(len, run.groups[first:end]))
    return len(lengths) == 1 or lengths in CARD_GROUPS
