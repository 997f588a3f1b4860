"""Numbers and codes in customers' texts that are no personal data: orders, prices, dates, versions, books, parcels."""

from __future__ import annotations

import random
from collections.abc import Callable

from bench.redacting.links import plain_link
from bench.redacting.numbers import luhn_digit


def near_miss(rng: random.Random) -> str:
    """A piece of text that must stay as it is."""
    return rng.choice(_MAKERS)(rng)


def _digits(rng: random.Random, count: int, first: str = "123456789") -> str:
    return rng.choice(first) + "".join(rng.choice("0123456789") for _ in range(count - 1))


def _order(rng: random.Random) -> str:
    form = rng.choice(
        (
            "order {10}",
            "Order #{8}",
            "order no. {9}",
            "order number: {10}",
            "order {3}-{7}-{7}",
            "Bestellung {10}",
            "Bestellnummer {8}",
            "commande n° {9}",
            "pedido {10}",
            "my order ({12})",
            "#{7}",
            "ORD-{10}",
            "PO {8}",
            "order id {16}",
            "order {4}-{4}-{4}",
        )
    )
    return _filled(rng, form)


def _filled(rng: random.Random, form: str) -> str:
    while "{" in form:
        start, end = form.index("{"), form.index("}")
        form = form[:start] + _digits(rng, int(form[start + 1 : end])) + form[end + 1 :]
    return form


def _reference(rng: random.Random) -> str:
    return _filled(
        rng,
        rng.choice(
            (
                "invoice {8}",
                "Rechnung Nr. {10}",
                "ticket {7}",
                "case #{8}",
                "ref {9}",
                "booking ref 0{9}",
                "customer no {8}",
                "Kundennummer {9}",
                "claim {10}",
                "flight UA{4}",
                "account {8}",
                "serial {12}",
                "S/N {10}",
                "model {7}",
                "SKU {8}",
                "art. {7}",
                "lot {8}",
                "part no 0{6}-{3}",
                "member {10}",
                "RMA{9}",
            )
        ),
    )


def _parcel(rng: random.Random) -> str:
    return _filled(
        rng,
        rng.choice(
            (
                "tracking 1Z{3}AA1{10}",
                "tracking number {12}",
                "tracking {20}",
                "parcel 00{18}",
                "RR{9}DE",
                "DHL tracking {10}",
                "Sendungsnummer {14}",
                "tracking no {4} {4} {4}",
                "AWB {3}-{8}",
                "colis {13}",
                "USPS tracking 94{4} {4} {4} {4} {2}",
                "parcel JD{16}",
            )
        ),
    )


def _price(rng: random.Random) -> str:
    n = rng.randrange(10**6, 10**8)
    return rng.choice(
        (
            f"${n:,}",
            f"{n:,}.00 USD",
            f"{n:,}".replace(",", ".") + ",00 €",
            f"{n:,}".replace(",", " ") + " kr",
            f"{n} EUR",
            f"€ {n}",
            f"Rs. {n}",
            f"₹{n:,}",
            f"{n / 100:.2f}",
            f"£{n / 100:,.2f}",
        )
    )


def _date(rng: random.Random) -> str:
    y, m, d, h, s = (
        rng.randint(1950, 2030),
        rng.randint(1, 12),
        rng.randint(1, 28),
        rng.randint(0, 23),
        rng.randint(10, 59),
    )
    return rng.choice(
        (
            f"{y}-{m:02}-{d:02}",
            f"{d:02}.{m:02}.{y}",
            f"{m}/{d}/{y}",
            f"{y}/{m:02}/{d:02} {h}:{s}",
            f"{d:02}-{m:02}-{y}",
            f"{y}{m:02}{d:02}",
            f"{y}-{m:02}-{d:02}T{h:02}:{s}:00Z",
            f"{d:02}.{m:02}.{y} {h:02}:{s}",
            f"{y - 3}-{y}",
            f"{y}, {y + 1} and {y + 2}",
            f"{d:02} {m:02} {y}",
            f"{y}-{m:02}-{d:02} {h:02}:{s}:{s}",
            f"from {d}.{m}. to {d + 2}.{m}.{y}",
            f"{y}{m:02}{d:02}{h:02}{s}00",
            f"at {h}:{s}-{(h + 1) % 24}:{s}",
        )
    )


def _technical(rng: random.Random) -> str:
    a, b, c, d = (rng.randrange(256) for _ in range(4))
    return rng.choice(
        (
            f"version {a}.{b}.{c}",
            f"v{a}.{b}.{c}.{d}",
            f"192.168.{c}.{d}",
            f"{a}.{b}.{c}.{d}",
            f"iOS {a % 20}.{b % 10}.{c % 10}",
            f"build {_digits(rng, 8)}",
            f"timestamp {_digits(rng, 10, '1')}",
            f"error 0x{rng.randrange(16**8):08x}",
            f"firmware {a}.{b}.{_digits(rng, 6)}",
            f"17{_digits(rng, 8)}",
            f"IMEI 35{_digits(rng, 12)}{a % 10}",
            f"MAC 00:1A:{a:02X}:{b:02X}:{c:02X}:{d:02X}",
            f"commit {rng.randrange(16**10):010x}",
            f"{_digits(rng, 8)}-{_digits(rng, 4)}-4{_digits(rng, 3)}-a{_digits(rng, 3)}-{_digits(rng, 12)}",
            f"icon@{a % 3 + 1}x.png",
            f"left-pad@{a % 9}.{b % 9}.{c % 9}",
        )
    )


def _book(rng: random.Random) -> str:
    a, b, c = _digits(rng, 3), _digits(rng, 5), rng.randrange(10)
    return rng.choice(
        (
            f"ISBN 978-0-{a}-{b}-{c}",
            f"ISBN 0-{a}-{b}-{c}",
            f"978-3-{a}-{b}-{c}",
            f"9780{a}{b}{c}",
            f"ISBN 978 3 {a} {b} {c}",
            f"ISBN-10: 0{_digits(rng, 8)}X",
            f"EAN {_digits(rng, 13, '4')}",
        )
    )


def _measure(rng: random.Random) -> str:
    a, b, c = (rng.randint(2, 250) for _ in range(3))
    return rng.choice(
        (
            f"size {a % 14 + 1}-{b % 14 + 1}-{c % 14 + 1}",
            "size 10-12-14",
            f"{a} x {b} x {c} cm",
            f"{a}/{b}/{c} mm",
            f"won {a}-{b}",
            f"score {a}-{b}, {c}-{a}",
            f"{_digits(rng, 7)} km",
            f"{_digits(rng, 8)} views",
            f"{_digits(rng, 7)} followers",
            f"{a}.{b} kg",
            f"rated {a % 5}/5 by {_digits(rng, 7)} people",
            f"{a} {b} {c}",
            f"1 {a % 900 + 100} {b % 900 + 100} steps",
            f"{a}%",
            "3.1415926535",
            f"0.{_digits(rng, 9)}",
            f"rooms {a}, {b} and {c}",
            "24/7/365",
            f"{_digits(rng, 9)} bytes",
            f"50.{_digits(rng, 7)}, 8.{_digits(rng, 7)}",
            f"sets of {a % 90 + 10} {b % 90 + 10} {c % 90 + 10}",
        )
    )


def _handle(rng: random.Random) -> str:
    return rng.choice(
        (
            "@united",
            f"@user{rng.randrange(10**4)}",
            "meet @ the gate",
            "5 @ 3.99",
            "see you at the mall. Thanks",
            "looked at amazon dot com",
            "5pm@home.Then we left",
            "#1234567",
            "text STOP to 87121",
            "call 112",
            "dial 999 or 911",
            "PIN 4711",
            "DE89 is my seat",
            "row GB29, seat 4",
            "zip 94107-1234",
            "PLZ 10115",
            "key=value pairs",
            "the token was lost",
            f"bin {_digits(rng, 6)}",
            "password reset failed twice",
        )
    )


def _link(rng: random.Random) -> str:
    return plain_link(rng)


def _wrong_check(rng: random.Random) -> str:
    """As long as a card's number, with another check digit; or an IBAN's shape with other check digits."""
    digits = _digits(rng, 15, "45")
    wrong = str((int(luhn_digit(digits)) + rng.randint(1, 9)) % 10)
    whole = digits + wrong
    return rng.choice(
        (
            whole,
            " ".join(whole[at : at + 4] for at in range(0, 16, 4)),
            f"DE00{_digits(rng, 18)}",
            f"XX12 {_digits(rng, 4)} {_digits(rng, 4)} {_digits(rng, 4)}",
        )
    )


_MAKERS: tuple[Callable[[random.Random], str], ...] = (
    _order,
    _order,
    _reference,
    _reference,
    _parcel,
    _price,
    _date,
    _date,
    _technical,
    _book,
    _measure,
    _measure,
    _handle,
    _link,
    _wrong_check,
)
