"""Payment cards (Luhn and the issuers' ranges) and IBANs (mod 97 and the countries' formats)."""

from __future__ import annotations

import re

from stdnum import iban, luhn

from text.sensitive import DASHES, SPACES, ZERO_WIDTH, Sensitive

CARD_DIGITS = range(13, 20)

_RANGES: tuple[tuple[int, int, tuple[int, ...]], ...] = (
    (4000, 4999, (13, 16, 19)),  # Visa
    (5100, 5599, (16,)),  # Mastercard
    (2221, 2720, (16,)),  # Mastercard
    (3400, 3499, (15,)),  # American Express
    (3700, 3799, (15,)),  # American Express
    (6011, 6011, (16, 17, 18, 19)),  # Discover
    (6440, 6599, (16, 17, 18, 19)),  # Discover, RuPay
    (3528, 3589, (16, 17, 18, 19)),  # JCB
    (3000, 3059, (14, 15, 16, 17, 18, 19)),  # Diners
    (3095, 3095, (14, 16)),  # Diners
    (3600, 3699, (14, 16, 19)),  # Diners
    (3800, 3999, (14, 16, 19)),  # Diners
    (6200, 6299, (16, 17, 18, 19)),  # UnionPay
    (8171, 8171, (16, 17, 18, 19)),  # UnionPay, RuPay
    (5000, 5099, (13, 14, 15, 16, 17, 18, 19)),  # Maestro, Elo, Dankort
    (5600, 5899, (13, 14, 15, 16, 17, 18, 19)),  # Maestro
    (6000, 6099, (16,)),  # RuPay
    (6304, 6304, (16, 17, 18, 19)),  # Maestro
    (6360, 6369, (16, 17, 18, 19)),  # Maestro, InterPayment
    (6700, 6799, (13, 14, 15, 16, 17, 18, 19)),  # Maestro
    (2200, 2205, (16, 17, 18, 19)),  # Mir, BORICA
    (9792, 9792, (16,)),  # Troy
)
"""First four digits (from, to) and the lengths that such numbers have."""

_BLANK = f"{SPACES}{DASHES}{ZERO_WIDTH}"
_LATIN = re.IGNORECASE | re.ASCII
"""Without ASCII, `[A-Z]` would match a Turkish dotted I and the sign for Kelvin as well."""
_START = re.compile(rf"(?<![A-Za-z0-9])[A-Z]{{2}}[{_BLANK}]?[0-9]{{2}}(?=[{_BLANK}]{{0,2}}[A-Z0-9])", _LATIN)
_PIECE = re.compile(rf"[{_BLANK}]{{0,2}}+([A-Z0-9]++)", _LATIN)
SHORTEST_IBAN, LONGEST_IBAN = 15, 34
_VALUES = {code: str(code - 55) for code in range(ord("A"), ord("Z") + 1)}
FIRST_CHECK, LAST_CHECK = "02", "98"


def is_card(digits: str) -> bool:
    """Whether digits are the number of a payment card: an issuer's range, its length, and the check digit."""
    if len(digits) not in CARD_DIGITS or not luhn.is_valid(digits):
        return False
    first = int(digits[:4])
    return any(low <= first <= high and len(digits) in lengths for low, high, lengths in _RANGES)


def redact_ibans(text: str) -> tuple[str, int]:
    """Replace IBANs by their mark, in one piece or in groups; returns the text and how many there were."""
    kept: list[str] = []
    at = 0
    for start in _START.finditer(text):
        if start.start() >= at and (end := _end_of_iban(text, start.start())) is not None:
            kept += (text[at : start.start()], Sensitive.IBAN.mark)
            at = end
    return "".join([*kept, text[at:]]), len(kept) // 2


def _end_of_iban(text: str, start: int) -> int | None:
    """Where an IBAN that starts here ends, the longest there is; `None` where none does."""
    pieces, compact, at = [], "", start
    while (piece := _PIECE.match(text, at)) and len(compact) + len(piece[1]) <= LONGEST_IBAN:
        compact, at = compact + piece[1], piece.end()
        pieces.append((compact, at))
    return next((end for number, end in reversed(pieces) if _is_iban(number)), None)


def _is_iban(number: str) -> bool:
    """Whether a country has such numbers and the check digits fit; national check digits are not looked at."""
    return (
        len(number) >= SHORTEST_IBAN
        and FIRST_CHECK <= number[2:4] <= LAST_CHECK
        and int((number[4:] + number[:4]).upper().translate(_VALUES)) % 97 == 1  # quicker than the library's
        and bool(iban.is_valid(number, check_country=False))
    )
