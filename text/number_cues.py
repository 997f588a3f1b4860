"""What the words around a number say that it is: a telephone number, or the number of something else."""

from __future__ import annotations

import re
from enum import Enum

from text.number_words import (
    NEITHER_WORDS,
    OTHER_MARKS,
    OTHER_WORDS,
    PHONE_MARKS,
    PHONE_PHRASES,
    PHONE_STEMS,
    PHONE_WORDS,
    UNITS,
    WEAK_WORDS,
    words,
)

BEFORE_CHARS, AFTER_CHARS = 40, 24
"""How far words are looked for on either side."""


class Cue(Enum):
    """What the nearest word says."""

    PHONE = "phone"
    OTHER = "other"
    WEAK = "weak"
    """That of something else, unless it looks like nothing but a telephone number."""
    NONE = "none"


_WORD = re.compile(r"[^\W\d_]+")
_OTHER_SIGN = re.compile(r"(?:[#№$€£¥₹₽₺₩]|\b(?:usd|eur|gbp|chf|inr|rs|pln|r\$|us\$|v|s/n)\.?)\s?\Z", re.IGNORECASE)
_PARTED = re.compile(r"\d|(?<!\bnr)(?<!\bno)(?<!\bnum)(?<!\bart)(?<!\bn)(?<!\bref)\.\s|[!?;,]\s|\n", re.IGNORECASE)
_NUMBER = re.compile(r"\d{3}")
_ONE_MORE = re.compile(r"\[phone\]\s?(?:or|and|und|oder|ou|et|o|y|e|/|&|\||;)\s?\Z", re.IGNORECASE)
_LITTLE_WORDS = words("on to at no is or and from with nr num me us help")
_LEAST_GLUED = 3
_AMOUNT_SIGN = re.compile(r"\s?[$€£¥₹₽₺₩%°](?!\d)")
_AMOUNT_WORD = re.compile(r"\s?([^\W\d_]+)(?!\w)")
_LINKING = words(
    """
    is was ist war est es my our his her the mein meine mon mi meu a no nr num number nummer numero numéro número
    of von de n id it
    """
)
_WORDS_AFTER = re.compile(r"[ )(\]]{0,3}([^\W\d_]+)(?: ([^\W\d_]+))?(?: ([^\W\d_]+))?")


def cue_before(before: str) -> Cue:
    """What the last word before a number says, if one of the lists is there.

    The number of an order is the first that follows the word, with little between; before a telephone number may stand
    more.
    """
    if _OTHER_SIGN.search(before[-6:]):
        return Cue.OTHER
    if _ONE_MORE.search(before):
        return Cue.PHONE
    before = before[before.rfind("]") + 1 :]
    cue, end = _last_cue(before)
    if cue in (Cue.PHONE, Cue.NONE):
        return Cue.NONE if _NUMBER.search(before, end) else cue
    between = [word for word in _WORD.findall(before, end) if word.lower() not in _LINKING]
    return Cue.NONE if len(between) > 1 or _PARTED.search(before, end) else cue


def is_glued(before: str) -> bool:
    """Whether a number may stand right behind the letters before it: `Call0800...`, `on0800...`, `apply0800...`."""
    word = _last_word(before)
    return word.lower() in _LITTLE_WORDS or names_phone(before) or (len(word) >= _LEAST_GLUED and word[-1].islower())


def names_phone(before: str) -> bool:
    """Whether the last word is one of a telephone number's: `sms-0871...`."""
    return _meaning("", _last_word(before).lower()) is Cue.PHONE


def _last_word(text: str) -> str:
    written = _WORD.findall(text)
    return written[-1] if written else ""


def is_amount(after: str) -> bool:
    """Whether a unit or a currency follows a number."""
    if _AMOUNT_SIGN.match(after):
        return True
    word = _AMOUNT_WORD.match(after)
    return word is not None and word[1].lower() in UNITS


def cue_after(after: str) -> Cue:
    """What the words right after a number say: `0171 1234567 is my mobile`."""
    written = _WORDS_AFTER.match(after)
    for word in written.groups() if written else ():
        lowered = word.lower() if word else ""
        cue = _meaning("", lowered)
        if cue is not None:
            return cue
        if lowered not in _LINKING:
            break
    return Cue.NONE


def _last_cue(text: str) -> tuple[Cue, int]:
    """What the last known word says, and where it ends."""
    written = [(match[0].lower(), match.end()) for match in _WORD.finditer(text)]
    for at in range(len(written) - 1, -1, -1):
        word, end = written[at]
        cue = _meaning(written[at - 1][0] if at else "", word)
        if cue is not None:
            return cue, end
    for marks, cue in ((PHONE_MARKS, Cue.PHONE), (OTHER_MARKS, Cue.OTHER)):
        for mark in marks:
            if mark in text:
                return cue, text.rfind(mark) + len(mark)
    return Cue.NONE, 0


def _meaning(previous: str, word: str) -> Cue | None:
    """What one word says; `None` where it is on no list."""
    if word in PHONE_WORDS or word.startswith(PHONE_STEMS) or f"{previous}|{word}" in PHONE_PHRASES:
        return Cue.PHONE
    if word in OTHER_WORDS:
        return Cue.OTHER
    if word in WEAK_WORDS:
        return Cue.WEAK
    return Cue.NONE if word in NEITHER_WORDS else None
