"""Telephone numbers, cards and IBANs as people write them; drawn at random, in the formats of many countries."""

from __future__ import annotations

import random
from dataclasses import dataclass

PHONES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "US": (
        "1",
        ("(N##) N##-####", "N##-N##-####", "N##.N##.####", "N## N## ####", "1-N##-N##-####", "1 (N##) N##-####"),
        ("N## N## ####", "(N##) N##-####", "N##-N##-####", "N##N######"),
    ),
    "CA": ("1", ("(N##) N##-####", "N##-N##-####", "1-N##-N##-####"), ("N## N## ####", "N##-N##-####")),
    "GB": (
        "44",
        (
            "07### ######",
            "07#########",
            "020 7### ####",
            "0161 ### ####",
            "(0121) ### ####",
            "01### ######",
            "0800 ### ####",
            "07### ### ###",
        ),
        ("7### ######", "(0)20 7### ####", "7#########", "20 7### ####"),
    ),
    "DE": (
        "49",
        (
            "0151 ########",
            "0171/#######",
            "0171 #######",
            "030 ########",
            "030/########",
            "089-#######",
            "(040) #######",
            "0151-########",
            "01520 #######",
            "0171 ## ## ###",
        ),
        ("151 ########", "(0) 171 #######", "30 ########", "171-#######", "(0)89 #######"),
    ),
    "AT": (
        "43",
        ("0664 #######", "0664/#######", "01 #######", "0316 ######"),
        ("664 #######", "1 #######", "(0)664 #######"),
    ),
    "CH": ("41", ("079 ### ## ##", "044 ### ## ##", "0## ### ## ##"), ("79 ### ## ##", "(0)44 ### ## ##")),
    "FR": (
        "33",
        ("06 ## ## ## ##", "06.##.##.##.##", "01 ## ## ## ##", "06########", "07-##-##-##-##"),
        ("6 ## ## ## ##", "1 ## ## ## ##", "(0)6 ## ## ## ##"),
    ),
    "BE": ("32", ("0470 ## ## ##", "02 ### ## ##", "0479/##.##.##"), ("470 ## ## ##", "2 ### ## ##")),
    "NL": (
        "31",
        ("06-########", "06 ########", "020-#######", "020 ### ####", "06 ## ## ## ##"),
        ("6 ########", "20 ### ####"),
    ),
    "ES": ("34", ("6## ### ###", "6## ## ## ##", "91# ### ###"), ("6## ### ###", "91# ## ## ##")),
    "PT": ("351", ("91# ### ###", "21# ### ###"), ("91# ### ###", "21# ### ###")),
    "IT": ("39", ("34# ### ####", "34# #######", "06 #### ####", "02 #######"), ("34# ### ####", "06 #### ####")),
    "PL": ("48", ("50# ### ###", "60#-###-###", "22 ### ## ##"), ("50# ### ###", "22 ### ## ##")),
    "SE": ("46", ("070-### ## ##", "073 ### ## ##", "08-### ## ##"), ("70 ### ## ##", "8 ### ## ##")),
    "NO": ("47", ("4## ## ###", "9# ## ## ##"), ("4## ## ###", "9# ## ## ##")),
    "DK": ("45", ("20 ## ## ##", "3# ## ## ##"), ("20 ## ## ##", "3# ## ## ##")),
    "FI": ("358", ("040 #######", "050 ### ####"), ("40 #######", "50 ### ####")),
    "IE": ("353", ("085 ### ####", "01 ### ####", "(01) ### ####"), ("85 ### ####", "1 ### ####")),
    "TR": ("90", ("0532 ### ## ##", "0 (532) ### ## ##", "0212 ### ## ##"), ("532 ### ## ##", "212 ### ## ##")),
    "RU": (
        "7",
        ("8 (912) ###-##-##", "8 912 ###-##-##", "8-916-###-##-##"),
        ("912 ###-##-##", "(916) ###-##-##", "916#######"),
    ),
    "IN": (
        "91",
        ("9#### #####", "98########", "022-2#######", "09#########"),
        ("9#### #####", "98########", "9####-#####"),
    ),
    "CN": ("86", ("138 #### ####", "139########", "010-8#######"), ("138 #### ####", "139-####-####")),
    "JP": ("81", ("090-####-####", "03-3###-####", "080########"), ("90-####-####", "3-3###-####")),
    "KR": ("82", ("010-####-####", "02-5##-####", "010 #### ####"), ("10-####-####",)),
    "AU": ("61", ("04## ### ###", "(02) 9### ####", "02 9### ####"), ("4## ### ###", "2 9### ####")),
    "NZ": ("64", ("021 ### ####", "09 3## ####"), ("21 ### ####",)),
    "ZA": ("27", ("082 ### ####", "011 4## ####"), ("82 ### ####",)),
    "NG": ("234", ("0803 ### ####", "0803#######"), ("803 ### ####",)),
    "KE": ("254", ("0722 ######", "0722######"), ("722 ######",)),
    "BR": (
        "55",
        ("(11) 9####-####", "(21) 3###-####", "11 9####-####", "(11) 9#### ####"),
        ("11 9####-####", "(21) 9####-####", "21 3###-####"),
    ),
    "MX": ("52", ("55 4### ####", "(55) 4### ####"), ("55 4### ####",)),
    "AR": ("54", ("011 4###-####", "(011) 4###-####"), ("9 11 4###-####", "11 4###-####")),
    "EG": ("20", ("0100 ### ####", "010########"), ("100 ### ####",)),
    "AE": ("971", ("050 ### ####", "04 3## ####"), ("50 ### ####", "50-###-####")),
    "IL": ("972", ("054-###-####", "03-6##-####"), ("54-###-####",)),
    "SG": ("65", ("9### ####", "6### ####"), ("9### ####",)),
    "ID": ("62", ("0812-####-####", "0812########"), ("812-####-####",)),
}
"""Country: its code, how numbers are written there, and what follows `+code`; # any digit, N 2 to 9."""

PLAIN_ELSEWHERE = frozenset({"ES", "PT", "PL", "NO", "DK", "SG", "MX", "IT"})
"""Countries whose numbers are bare groups: only the country or the words around tell them from other numbers."""

CARDS = (
    ("4", 16),
    ("51", 16),
    ("55", 16),
    ("2221", 16),
    ("2720", 16),
    ("34", 15),
    ("37", 15),
    ("6011", 16),
    ("65", 16),
    ("3528", 16),
    ("3589", 16),
    ("36", 14),
    ("62", 16),
    ("62", 19),
    ("5018", 16),
    ("2204", 16),
)
IBANS = {
    "DE": "n18",
    "AT": "n16",
    "CH": "n5c12",
    "FR": "n10c11n2",
    "GB": "a4n14",
    "NL": "a4n10",
    "BE": "n12",
    "ES": "n20",
    "IT": "a1n10c12",
    "PL": "n24",
    "PT": "n21",
    "SE": "n20",
    "NO": "n11",
    "DK": "n14",
    "FI": "n14",
    "IE": "a4n14",
    "LU": "n3c13",
    "CZ": "n20",
    "HU": "n24",
    "RO": "a4c16",
    "GR": "n7c16",
    "TR": "n5n1c16",
    "SA": "n2c18",
    "AE": "n19",
    "IL": "n19",
    "MT": "a4n5c18",
    "BR": "n23a1c1",
    "UA": "n6c19",
    "HR": "n17",
    "LT": "n16",
}


@dataclass(frozen=True, slots=True)
class Phone:
    """A number as it is written, and what else tells that it is one."""

    written: str
    country: str
    international: bool
    needs_help: bool
    """Whether only the country or words around tell it from other numbers."""


def phone(rng: random.Random) -> Phone:
    """A telephone number of some country."""
    country = rng.choice(list(PHONES))
    code, national, abroad = PHONES[country]
    if rng.random() < 0.45:
        rest = _filled(rng, rng.choice(abroad))
        opening = rng.choices(
            (f"+{code} ", f"+{code}", f"00{code} ", f"(+{code}) ", f"00{code}", f"+{code}-"), (6, 3, 2, 1, 1, 1)
        )[0]
        written = opening + (rest.replace(" ", "").replace("-", "") if rng.random() < 0.3 else rest)
        return Phone(_odd_signs(rng, written), country, international=True, needs_help=False)
    written = _filled(rng, rng.choice(national))
    bare = written.isdigit() and not written.startswith("0")
    return Phone(_odd_signs(rng, written), country, international=False, needs_help=bare or country in PLAIN_ELSEWHERE)


def _filled(rng: random.Random, form: str) -> str:
    return "".join(rng.choice("0123456789") if c == "#" else rng.choice("23456789") if c == "N" else c for c in form)


def _odd_signs(rng: random.Random, written: str) -> str:
    """Now and then the blanks, dashes and digits that telephones and keyboards of the world put in."""
    chance = rng.random()
    if chance < 0.03:
        return written.replace(" ", "\u00a0")
    if chance < 0.05:
        return written.replace("-", "\u2011")
    if chance < 0.07:
        return "\u202a" + written + "\u202c"
    if chance < 0.09:
        return written.translate({ord(str(n)): chr(0x0660 + n) for n in range(10)})
    if chance < 0.10:
        return written.translate({ord(str(n)): chr(0xFF10 + n) for n in range(10)})
    return written


def luhn_digit(digits: str) -> str:
    """The check digit that makes digits a card's number."""
    doubled = [int(d) * (2 if at % 2 == 0 else 1) for at, d in enumerate(reversed(digits))]
    return str(-sum(n - 9 if n > 9 else n for n in doubled) % 10)


def card(rng: random.Random) -> str:
    """The number of a payment card."""
    prefix, length = rng.choice(CARDS)
    digits = prefix + "".join(rng.choice("0123456789") for _ in range(length - len(prefix) - 1))
    digits += luhn_digit(digits)
    groups = (
        [digits[:4], digits[4:10], digits[10:]]
        if length in (14, 15)
        else [digits[at : at + 4] for at in range(0, length, 4)]
    )
    return rng.choices((" ", "-", ""), (5, 2, 5))[0].join(groups)


def iban(rng: random.Random) -> str:
    """An IBAN of some country."""
    country = rng.choice(list(IBANS))
    form, bban, at = IBANS[country], "", 0
    while at < len(form):
        end = at + 1
        while end < len(form) and form[end].isdigit():
            end += 1
        characters = {
            "n": "0123456789",
            "a": "ABCDEFGHJKLMNPQRSTUVWXYZ",
            "c": "0123456789012345678901234567890123456789ABCDEFGH",
        }[form[at]]
        bban += "".join(rng.choice(characters) for _ in range(int(form[at + 1 : end])))
        at = end
    value = int("".join(str(int(character, 36)) for character in bban + country + "00"))
    whole = f"{country}{98 - value % 97:02d}{bban}"
    written = " ".join(whole[at : at + 4] for at in range(0, len(whole), 4)) if rng.random() < 0.5 else whole
    return written.lower() if rng.random() < 0.08 else written
