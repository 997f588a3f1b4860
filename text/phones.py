"""Telephone numbers: international ones by their country's plan, national ones by country, shape and words around."""

from __future__ import annotations

import phonenumbers

from text.digit_runs import Run
from text.number_cues import Cue

MOST_DIGITS = 15
"""E.164's longest number."""
LEAST_DIGITS = 7
_ZERO_LEFT_OUT = frozenset({"AR", "BR", "CN", "IN", "IR", "PK", "LK", "SA", "VN", "ID", "TR"})
"""Countries that dial a 0 first, where many write mobile numbers without it."""
_FIRST_LENGTHS = frozenset({(1, 3), (3, 3), (3, 7), (3, 4), (6, 4), (5, 5), (2, 5), (2, 4)})
_NANP = frozenset({"US", "CA", "PR", "DO", "JM", "TT", "BS", "BB"})


def is_international(digits: str, *, strict: bool) -> bool:
    """Whether `+` and these digits are a number of a country's plan; where not strict, a possible length is enough."""
    try:
        number = phonenumbers.parse("+" + digits)
    except phonenumbers.NumberParseException:
        return False
    possible = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    return possible and (not strict or phonenumbers.is_valid_number(number))


def is_valid_in(digits: str, region: str) -> bool:
    """Whether digits, dialled in a country, are a number of its plan."""
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(digits, region))
    except phonenumbers.NumberParseException:
        return False


def is_other_shape(run: Run, first: int, end: int) -> bool:
    """Whether groups look like a date, an address of a computer, an ISBN or a number in thousands."""
    groups, gaps = run.groups[first:end], run.gaps[first : end - 1]
    lengths = tuple(map(len, groups))
    if gaps == (".",) or (gaps == ("/",) and max(lengths) <= 4):  # 50.8481449, 2348/3499
        return True
    if len(set(gaps)) == 1 and len(groups) >= 3 and gaps[0] in "-./ ":
        if lengths[0] < 3 and set(lengths[1:]) == {3} and groups[0][0] != "0" and gaps[0] in ". ":
            return True
        if len(groups) == 4 and gaps[0] == "." and max(lengths) <= 3 and all(int(group) <= 255 for group in groups):
            return True
        if gaps[0] == "-" and lengths[-1] == 1 and sum(lengths) in (10, 13):
            return True
    if lengths == (8,) and "1900" <= groups[0][:4] <= "2099" and groups[0][4:6] <= "12" and groups[0][6:] <= "31":
        return True
    if lengths == (4, 4) and all("1900" <= group <= "2099" for group in groups):
        return True
    return sum(lengths) == 13 and "".join(groups)[:3] in ("978", "979")


def is_in_date(run: Run, at: int) -> bool:
    """Whether a group is the year, the month or the day of a date, whichever comes first."""
    return any(_starts_date(run, first) for first in range(max(0, at - 2), at + 1))


def _starts_date(run: Run, first: int) -> bool:
    groups, gaps = run.groups[first : first + 3], run.gaps[first : first + 2]
    if len(groups) < 3 or gaps[0] != gaps[1] or gaps[0] not in "-./ ":
        return False
    year, others = (groups[0], groups[1:]) if len(groups[0]) == 4 else (groups[2], groups[:2])
    return len(year) == 4 and year[:2] in ("19", "20") and all(len(group) <= 2 for group in others)


def is_in_fours(run: Run, at: int) -> bool:
    """Whether a group is one of three or more groups of four digits, as codes and mistyped cards have them."""
    first, end = at, at
    while first > 0 and at - first < 3 and len(run.groups[first - 1]) == 4:
        first -= 1
    while end < len(run.groups) and end - at < 4 and len(run.groups[end]) == 4:
        end += 1
    return end > at and end - first >= 3 and (run.groups[first][0] != "0" or run.groups[first][1] == "0")


def is_national(run: Run, first: int, end: int, *, opened: bool, cue: Cue, region: str | None) -> bool:
    """Whether groups `first` to `end` are a number as people write it within their country.

    Args:
        run: The groups.
        first: The first of them that counts.
        end: The one after the last.
        opened: Whether a bracket opens before the first.
        cue: What the words around say.
        region: The writer's country (ISO 3166-1 alpha-2), where it is known.
    """
    groups, gaps = run.groups[first:end], run.gaps[first : end - 1]
    digits = "".join(groups)
    if cue is Cue.OTHER or not LEAST_DIGITS <= len(digits) <= 13 or is_other_shape(run, first, end):
        return False
    if any(len(gap.strip()) > 2 for gap in gaps) or len(set(digits)) == 1:
        return False
    called = cue is Cue.PHONE
    if _is_trunk(groups, digits, called=called):
        return True
    if cue is Cue.WEAK:
        return False
    if _is_nanp(groups, gaps, called=called, region=region):
        return True
    if _is_known_shape(groups, gaps, digits, opened=opened):
        return True
    if region and len(digits) >= 8 and (len(groups) > 1 or len(digits) >= 10) and not called:
        return _starts_as_dialled(digits, region) and is_valid_in(digits, region)
    return called and (len(digits) >= 8 or tuple(map(len, groups)) in ((7,), (3, 4)))


def may_start(run: Run, first: int) -> bool:
    """Whether groups without words around them may be a number's: a quick look at two, before a careful one."""
    if run.groups[first][0] == "0":
        return True
    lengths = tuple(map(len, run.groups[first : first + 2]))
    return lengths in _FIRST_LENGTHS or lengths[0] >= 10 or (first < len(run.gaps) and ")" in run.gaps[first])


def _starts_as_dialled(digits: str, region: str) -> bool:
    """Whether a number starts as people of a country write it; most that dial a 0 first write it too."""
    return region in _ZERO_LEFT_OUT or phonenumbers.ndd_prefix_for_region(region, True) != "0" or digits[0] == "0"


def _is_trunk(groups: tuple[str, ...], digits: str, *, called: bool) -> bool:
    """A leading 0, as most countries' numbers have when they are dialled at home."""
    if digits[0] != "0" or digits[1] == "0":
        return False
    if len(groups) == 1:
        return len(digits) in (10, 11) or (called and len(digits) in (9, 12))
    lengths = tuple(map(len, groups))
    if lengths == (3, 4, 3) and not called:  # as parts of instruments and machines are numbered
        return False
    return 9 <= len(digits) <= 12 and min(lengths[1:]) >= 2


def _is_nanp(groups: tuple[str, ...], gaps: tuple[str, ...], *, called: bool, region: str | None) -> bool:
    """North America: (415) 555-0123, 1-800-555-0123, 4155550123; 555-0123 where words say so."""
    if len(groups) > 1 and groups[0] == "1":
        groups, gaps = groups[1:], gaps[1:]
    elif len(groups) == 1 and len(groups[0]) == 11 and groups[0][0] == "1":
        groups = (groups[0][1:],)
    digits = "".join(groups)
    lengths = tuple(map(len, groups))
    if lengths == (3, 4):
        return called and digits[0] not in "01" and gaps[0] in "-. "
    if len(digits) != 10 or digits[0] in "01" or digits[3] in "01":
        return False
    if lengths in ((3, 3, 4), (3, 7), (6, 4)):
        return lengths == (3, 3, 4) or called or ")" in gaps[0]
    return lengths == (10,) and (called or region in _NANP)


def _is_known_shape(groups: tuple[str, ...], gaps: tuple[str, ...], digits: str, *, opened: bool) -> bool:
    """Groupings by which the numbers of a country are known without a leading 0."""
    lengths = tuple(map(len, groups))
    if opened and ")" in (gaps[0] if gaps else ""):
        return 2 <= lengths[0] <= 5 and 8 <= len(digits) <= 11 and groups[0][:2] not in ("19", "20")
    if lengths == (5, 5):
        return digits[0] in "6789" and is_valid_in(digits, "IN")
    if lengths == (3, 4, 4):
        return digits[0] == "1" and digits[1] in "3456789"
    if lengths[:2] == (1, 3) and len(digits) == 11 and digits[0] in "78":
        return digits[1] in "3489" and is_valid_in(digits, "RU")
    if lengths in ((2, 5, 4), (2, 4, 4)) and "-" in gaps[1]:
        return is_valid_in(digits, "BR")
    return False
