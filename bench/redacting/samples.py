"""Texts of customers with planted personal data, the same for the same seed, and how each must read redacted."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from bench.redacting.links import email, secret_link
from bench.redacting.near_misses import near_miss
from bench.redacting.numbers import card, iban, phone
from text.sensitive import Sensitive

_FILLER = (
    "The colour is lovely and it fits well",
    "arrived late",
    "I have waited two weeks",
    "sehr zufrieden, gerne wieder",
    "Die Lieferung kam zu spät",
    "très bon produit, merci",
    "no estoy contento con el servicio",
    "ottimo prodotto",
    "produto excelente 👍",
    "super polecam",
    "очень доволен",
    "非常好",
    "とても良い",
    "ممتاز جدا",
    "would buy again 😀",
    "battery lasts long",
    "Refund please!!",
    "the box was damaged",
    "thx",
    "Worst service ever...",
)
_CALL = (
    "call me at {}",
    "please ring {}",
    "my phone: {}",
    "Tel. {}",
    "Tel: {}",
    "you can reach me on {}",
    "whatsapp {}",
    "text me {}",
    "mobile {}",
    "Telefon {}",
    "Handy: {}",
    "bitte anrufen unter {}",
    "tél. {}",
    "appelez-moi au {}",
    "mi teléfono es {}",
    "llámame al {}",
    "telefone {}",
    "cellulare {}",
    "тел. {}",
    "电话 {}",
    "هاتف {}",
    "phone ({})",
    "fax {}",
    "my number is {}",
    "contact me on {}",
)
_BARE = (
    "{}",
    "thanks, {}",
    "Anna, {}",
    "({})",
    "- {}",
    "{} please",
    "here it is {} ok?",
    "for details {}",
    "wait for you: {}",
    "{} \u2013 Peter",
    "urgent! {}!",
    "my husband {}, me later",
    "I am on {}.",
    "write down {}, then come",
)
_MAIL = (
    "mail me at {}",
    "write to {}.",
    "E-Mail: {}",
    "<{}>",
    "{}",
    "({})",
    "contact {} please",
    "mailto:{}",
    "my address is {}, thanks",
    "Mi correo: {}",
    "{}!",
)
_CARD = (
    "my card {} was charged twice",
    "card number {}",
    "paid with {}",
    "Kreditkarte {}",
    "Visa {}",
    "{}",
    "tarjeta {} caducada",
    "charged to {}, why?",
    "it says {} is invalid",
    "carte {}",
)
_IBAN = (
    "refund to {}",
    "IBAN: {}",
    "IBAN {}",
    "my account is {}",
    "bitte auf {} überweisen",
    "{}",
    "({})",
    "Konto {}, danke",
    "{} please",
)
_LINK = ("I clicked {} and nothing happened", "{}", "see {} please", "link: {}", "<{}>", "it says {} expired", "({})")
_MISS = (
    "{}",
    "about {}",
    "my {}",
    "it was {} again",
    "{} is wrong",
    "({})",
    "{} and {}",
    "{}, {}",
    "what is {}?",
    "I got {} yesterday",
    "on {} or {}",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A text, what is planted in it, and how it must read."""

    text: str
    redacted: str
    planted: tuple[tuple[Sensitive, str], ...]
    region: str | None

    @property
    def counts(self) -> Counter[Sensitive]:
        """How many of each type are planted."""
        return Counter(kind for kind, _ in self.planted)


def samples(count: int, *, seed: int) -> Iterator[Sample]:
    """So many texts: half with one or two planted pieces, half with near misses alone."""
    rng = random.Random(seed)
    for _ in range(count):
        pieces = [_planted(rng) for _ in range(rng.choice((1, 1, 1, 2)))] if rng.random() < 0.5 else []
        regions = [piece[3] for piece in pieces if piece[3]]
        parts = [(piece[0], piece[1]) for piece in pieces]
        for _ in range(rng.choice((0, 1, 1, 2)) if pieces else rng.choice((1, 2, 3))):
            words = _missed(rng)
            parts.insert(rng.randint(0, len(parts)), (words, words))
        if rng.random() < 0.7:
            words = rng.choice(_FILLER)
            parts.insert(rng.randint(0, len(parts)), (words, words))
        between = rng.choice((". ", " - ", "\n", ", ", "; ", "! "))
        yield Sample(
            between.join(text for text, _ in parts),
            between.join(redacted for _, redacted in parts),
            tuple(one for piece in pieces for one in piece[2]),
            regions[0] if regions else rng.choice((None, None, "DE", "US")) if not pieces else None,
        )


def _missed(rng: random.Random) -> str:
    form = rng.choice(_MISS)
    while "{}" in form:
        form = form.replace("{}", near_miss(rng), 1)
    return form


Piece = tuple[str, str, tuple[tuple[Sensitive, str], ...], str | None]


def _planted(rng: random.Random) -> Piece:
    """(text, redacted, what is planted, country)."""
    kind = rng.choices(list(Sensitive), (5, 8, 3, 3, 4))[0]
    if kind is Sensitive.TOKEN:
        return _link_piece(rng)
    if kind is Sensitive.PHONE:
        return _phone_piece(rng)
    forms, make = {Sensitive.EMAIL: (_MAIL, email), Sensitive.CARD: (_CARD, card), Sensitive.IBAN: (_IBAN, iban)}[kind]
    form, value = rng.choice(forms), make(rng)
    return form.format(value), form.format(kind.mark), ((kind, value),), None


def _phone_piece(rng: random.Random) -> Piece:
    made = phone(rng)
    known = rng.random() < 0.5
    form = rng.choice(_CALL if (made.needs_help and not known) or rng.random() < 0.6 else _BARE)
    region = made.country if known else None
    return form.format(made.written), form.format(Sensitive.PHONE.mark), ((Sensitive.PHONE, made.written),), region


def _link_piece(rng: random.Random) -> Piece:
    form = rng.choice(_LINK)
    before, secret = secret_link(rng)
    secret, _, behind = secret.partition("\0")
    if "=" in before and rng.random() < 0.4:
        behind = "&lang=de"
    whole = form.format(before + secret + behind)
    mark = Sensitive.TOKEN.mark
    redacted = form.format(("https://" if behind.startswith("@") else before) + mark + behind)
    return whole, redacted, ((Sensitive.TOKEN, secret),), None
