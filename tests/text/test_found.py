"""What each type finds and what it leaves alone, form by form."""

from __future__ import annotations

import polars as pl
import pytest

from text.redaction import redact_column, redact_text

FOUND = [
    ("write to john.o'neil@shop.co.uk. Thanks", "write to [email]. Thanks"),
    ("mailto:ANNA@EXAMPLE.COM", "mailto:[email]"),
    ("müller@bücher.example", "[email]"),
    ("anna (at) example (dot) com", "[email]"),
    ("anna.b at example dot com", "[email]"),
    ("anna @ gmail.com", "[email]"),
    ("anna.b at\u00a0example\u00a0dot\u00a0com", "[email]"),
    ("?email=anna%40example.com", "?email=[email]"),
    ("call +44 (0)20 7946 0958 now", "call [phone] now"),
    ("(+49) 171 1234567", "[phone]"),
    ("0049 171 1234567", "[phone]"),
    ("06.12.34.56.78", "[phone]"),
    ("(415) 555-0123 ext. 22", "[phone]"),
    ("1-800-433-7300", "[phone]"),
    ("Call08452810075 now", "Call[phone] now"),
    ("call 4155550123", "call [phone]"),
    ("free 08000407165 (18+) now", "free [phone] (18+) now"),
    ("Tel./Fax/0171 1234567", "Tel./Fax/[phone]"),
    ("?card=4111111111111111", "?card=[card]"),
    ("मोबाइल 98765432", "मोबाइल [phone]"),
    ("tél. 918 143 977", "tél. [phone]"),
    ("stop sms-08718727870", "stop sms-[phone]"),
    ("T&C's apply08452810075over18's", "T&C's apply[phone]over18's"),
    ("8 (912) 345-67-89", "[phone]"),
    ("98765 43210", "[phone]"),
    ("+\u0664\u0669 \u0661\u0667\u0661 \u0661\u0662\u0663\u0664\u0665\u0666\u0667", "[phone]"),
    ("call 415\u200b555\u200b0123", "call [phone]"),
    ("wa.me/491711234567", "wa.me/[phone]"),
    ("customer services 08450542832", "customer services [phone]"),
    ("tel 0171 1234567 / 0172 1234567", "tel [phone] / [phone]"),
    ("on 12.03.2024 10:30 0171 1234567", "on 12.03.2024 10:30 [phone]"),
    ("card 4111 1111 1111 1111 was charged", "card [card] was charged"),
    ("3782-822463-10005", "[card]"),
    ("6200000000000000000", "[card]"),
    ("bitte DE89 3704 0044 0532 0130 00 nutzen", "bitte [iban] nutzen"),
    ("gb29nwbk60161331926819", "[iban]"),
    ("https://u:p@x.com/a?token=abc123&x=1", "https://[token]@x.com/a?token=[token]&x=1"),
    ("www.x.com/reset/ab12cd34ef56ab78cd90.", "www.x.com/reset/[token]."),
    ("https://x.com/;jsessionid=A1B2C3", "https://x.com/;jsessionid=[token]"),
    ("https://x.com/cb?code=4Xs9ZQ1hP0d7KfLm2TqR8w", "https://x.com/cb?code=[token]"),
]

LEFT_ALONE = [
    "order 4155550123",
    "Bestellnummer 0123456789",
    "invoice no. 4155550123 is wrong",
    "tracking 1Z999AA10123456784",
    "RMA0123456789",
    "Fender 099-0502-000 Tools",
    "Call Northside 777 (1948)",
    "https://x.com/music/674732645945877",
    "commit 3f0171234567ab",
    "tracking 9400 1000 0000 0000 0000 00",
    "ISBN 978-0-306-40615-7",
    "0-306-40615-2",
    "size 10-12-14",
    "2014-2015",
    "2024-01-31 10:30:00",
    "12.03.2024",
    "08 02 2009 - 222",
    "20240131",
    "1.234.567,00 €",
    "1 234 567",
    "$12,345,678",
    "192.168.100.200",
    "version 10.2.3456",
    "50.8481449, 8.3317211",
    "1234567 km",
    "1700000000",
    "Txt CLAIM to 87121",
    "flights 2348/3499",
    "4111 1111 1111 1112",
    "DE00 3704 0044 0532 0130 00",
    "icon@2x.png and pkg@1.2.3",
    "5pm@home.Then we left",
    "I looked at amazon dot com",
    "@united thanks",
    "https://shop.example/p/1234567890?color=navy",
    "https://shop.example/the-keys-to-success?utm_source=mail",
    "?code=SUMMER10",
    "the token was lost, key=value",
]


@pytest.mark.parametrize(("text", "redacted"), FOUND)
def test_found(text: str, redacted: str) -> None:
    assert redact_text(text)[0] == redacted


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_left_alone(text: str) -> None:
    assert redact_text(text) == (text, {})


@pytest.mark.parametrize(("text", "redacted"), FOUND)
def test_a_column_finds_the_same(text: str, redacted: str) -> None:
    assert redact_column(pl.Series([text])).texts.to_list() == [redacted]
