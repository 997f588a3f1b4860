"""E-mail addresses and links with secrets in them, drawn at random."""

from __future__ import annotations

import random


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NAMES = _listed(
    """
    anna peter maria jose li.wei fatima olu ivan sofia noah emma lucas müller garcía o'neil smith kowalski rossi
    dubois tanaka nguyen
    """
)
DOMAINS = _listed(
    """
    example.com example.org mail.example.de firma-beispiel.de shop.co.uk uni.example.edu gmail.com outlook.com
    web.de correo.es posta.it poczta.pl bücher.example example.museum mail.ru qq.com example.io
    sub.domain.example.com.br exemple.photography
    """
)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SECRETS = _listed(
    """
    token access_token id_token refresh_token auth key api_key apikey session sessionid session_id sid sig
    signature password pwd passwd secret client_secret jwt X-Amz-Signature X-Amz-Security-Token otp PHPSESSID
    auth_token reset_token csrf_token
    """
)
PATHS = ("reset-password", "verify", "magic", "confirm", "invite", "unsubscribe")


def email(rng: random.Random) -> str:
    """An e-mail address, seldom spelled out."""
    name = rng.choice(NAMES) + rng.choice(("", ".", "_", "-", "+")) + rng.choice((*NAMES, str(rng.randrange(2000))))
    domain = rng.choice(DOMAINS)
    chance = rng.random()
    if chance < 0.04:
        return f"{name} (at) {domain}"
    if chance < 0.07:
        return f"{name} [at] {domain.replace('.', ' [dot] ')}"
    if chance < 0.09:
        return f"{name} @ gmail.com"
    if chance < 0.11:
        return f"{name}@{domain}".replace("@", "%40")
    written = f"{name}@{domain}"
    return (
        written.upper() if chance < 0.16 else written.title() if chance < 0.18 and domain.endswith(".com") else written
    )


def _random_text(
    rng: random.Random, least: int, most: int, characters: str = LETTERS + LETTERS.upper() + "0123456789"
) -> str:
    return "".join(rng.choice(characters) for _ in range(rng.randint(least, most)))


def secret_link(rng: random.Random) -> tuple[str, str]:
    """(what stands before the secret, the secret) of a link; the secret ends it or is followed by `&lang=de`."""
    host = rng.choice(
        (
            "https://shop.example.com",
            "http://www.example.org",
            "https://bucket.s3.amazonaws.com",
            "www.example.de",
            "example.io",
        )
    )
    chance = rng.random()
    if chance < 0.1:
        return f"https://{rng.choice(('', 'x:'))}", _random_text(rng, 8, 20) + "\0@files.example.com/a.zip"
    if chance < 0.2:
        return f"{host}/{rng.choice(PATHS)}/", _random_text(rng, 24, 40, "0123456789abcdef")
    if chance < 0.25:
        return "", f"eyJ{_random_text(rng, 20, 40)}.eyJ{_random_text(rng, 30, 60)}.{_random_text(rng, 30, 43)}"
    name = rng.choice(SECRETS)
    secret = _random_text(rng, 6, 48) if rng.random() < 0.8 else _random_text(rng, 6, 48) + "%3D%3D"
    first = rng.choice(("?", "?page=2&", "?lang=en&utm_source=mail&", "#", "?id=77&amp;"))
    return f"{host}/orders/{rng.randrange(10**6)}{first}{name.upper() if rng.random() < 0.1 else name}=", secret


def plain_link(rng: random.Random) -> str:
    """A link without a secret."""
    host = rng.choice(("https://shop.example.com", "www.example.org", "http://t.co"))
    return host + rng.choice(
        (
            f"/{_random_text(rng, 10, 10)}",
            f"/p/{rng.randrange(10**9)}",
            f"/blue-cotton-shirt-with-long-sleeves-{rng.randrange(10**7)}?color=navy&size=42",
            "/search?q=keyboard&sort=price&page=3",
            f"/item/{rng.randrange(10**10, 10**11)}?ref=home",
            "/the-keys-to-success?utm_source=newsletter&utm_campaign=spring_2024",
            f"/2024/05/17/story-{rng.randrange(10**6)}.html",
            "/watch?v=dQw4w9WgXcQ&t=42s",
        )
    )
