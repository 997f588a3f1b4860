"""The characters around a number: those that may open it, and those that make it part of something else."""

from __future__ import annotations

import re
from dataclasses import dataclass

from text.number_cues import Cue, cue_before, is_glued, names_phone
from text.sensitive import DASHES, SPACES, ZERO_WIDTH

_PLUS = re.compile(rf"[{ZERO_WIDTH}]?\(?[+\uff0b][{SPACES}{ZERO_WIDTH}(]{{0,2}}\Z")
_OPEN = re.compile(rf"[(\uff08][{SPACES}{ZERO_WIDTH}]?\Z|[{ZERO_WIDTH}]\Z")
_IN_ADDRESS = re.compile(r"[=&_@~\\$#]\Z")
_IN_PATH = re.compile(r"[./%]\S*/\Z")
_NUMBER_IN_ADDRESS = re.compile(
    r"(?:wa\.me/|(?:tel|phone|mobile|cell|number|msisdn|whatsapp|fax)=|tel:(?://)?)\Z", re.IGNORECASE
)
_PART_BEFORE = re.compile(rf"\d[,:'\u2019]\Z|\w[{DASHES}.]\Z")
EXTENSION = re.compile(
    rf"[{SPACES},]{{0,2}}(?:ext(?:ension)?|x|durchwahl|dw|poste|ramal|int)[.:]?[{SPACES}]?\d{{1,6}}(?!\w)",
    re.IGNORECASE,
)
"""An extension that belongs to the number before it."""
INVISIBLE = re.compile(f"[{ZERO_WIDTH}]")
CODE_AFTER = re.compile(r"[A-Za-z]{0,3}\d|[A-Z]{1,3}(?![A-Za-z])|[_@=\\]|,\d{1,4}(?!\d)|:\d\d|[+*^]\d")
"""What follows a number that is part of a code, an amount or a time."""
_CARD_WORDS = 20


@dataclass(frozen=True, slots=True)
class Around:
    """What stands before a number."""

    cue: Cue
    """What the words say."""
    card_denied: bool = False
    """Whether it cannot be a card's."""
    prefix: str = ""
    """`+` or a bracket before the first digit, with what is between."""
    denied: bool = False
    """Whether it is part of an address of a page, of an amount or of a time."""
    joined: bool = False
    """Whether a letter or a digit stands right before it."""
    glued: bool = False
    """Whether that is a word that people write without a blank: `Call0800...`."""
    fresh: bool = True
    """Whether it is about the number that starts here, not about an earlier group of its run."""

    @property
    def plus(self) -> bool:
        """Whether a plus opens it."""
        return "+" in self.prefix or "\uff0b" in self.prefix

    @property
    def opened(self) -> bool:
        """Whether a bracket opens it."""
        return "(" in self.prefix or "\uff08" in self.prefix

    def later(self) -> Around:
        """The same for a later group of the run: words that deny hold, nothing else does."""
        return _LATER_DENIED if self.cue in (Cue.OTHER, Cue.WEAK) else _LATER


_LATER = Around(Cue.NONE, fresh=False)
_LATER_DENIED = Around(Cue.OTHER, card_denied=True, fresh=False)


def look_around(before: str, *, words: bool = True) -> Around:
    """Judge the text before a number.

    Args:
        before: What stands there, up to the number's first digit.
        words: Whether to look at words; without, a number is taken for one that has none around.
    """
    opening = _PLUS.search(before) or _OPEN.search(before)
    prefix = opening[0] if opening else ""
    rest = before[: len(before) - len(prefix)]
    joined = rest[-1:].isalnum()
    if joined and ("+" in prefix or "\uff0b" in prefix) and rest[-1].isdigit():
        prefix = ""  # a sum
    cue = cue_before(rest) if words else Cue.NONE
    in_path = bool(_IN_PATH.search(rest))
    denied = in_path or bool(_IN_ADDRESS.search(rest)) or bool(_PART_BEFORE.search(rest))
    if denied and _NUMBER_IN_ADDRESS.search(rest):
        denied, cue = False, Cue.PHONE
    card = cue_before(rest[-_CARD_WORDS:]) if words and cue is Cue.OTHER else cue
    return Around(
        cue,
        card_denied=card is Cue.OTHER or joined or in_path,
        prefix=prefix,
        denied=denied and not (words and names_phone(rest)),
        joined=joined,
        glued=joined and words and is_glued(rest),
    )
