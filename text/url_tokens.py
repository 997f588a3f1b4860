"""Secrets in addresses of pages: parameters such as `token` or `sig`, `user:password@`, and one-time paths.

Only the secret is replaced, so that the page stays readable: `https://shop.example/track?token=[token]&lang=de`.
"""

from __future__ import annotations

import re

from text.sensitive import Sensitive

_NAMES = (
    r"(?:(?:access|auth|id|refresh|session|csrf|xsrf|api|bearer|user|login|reset|invite|magic|device|verification|secret|security|"
    r"personal|push|client|x-amz-security)[_.-]?)?token"
    r"|(?:api|access|auth|secret|private|session|license|subscription|x-api|sas|ocp-apim-subscription|consumer|awsaccess|account|shared)"
    r"[_.-]?key(?:id)?|key|x-(?:amz|goog)-(?:signature|credential)|jwt|bearer|oauth(?:_token|_verifier|_signature)?|auth(?:orization)?"
    r"|(?:j|php)?sess(?:ion)?(?:[_.-]?id)?|sid|asp\.net_sessionid|cfid|cftoken|sig(?:nature)?|hmac"
    r"|pass(?:word|wd|phrase|code)?|pwd|(?:client|app|shared)?[_.-]?secret|otp|totp|credentials?|ticket|nonce|csrf|xsrf"
    r"|saml(?:request|response)|relaystate|assertion|magic|reset(?:[_.-]?code)?|invite[_.-]?code|auth[_.-]?code|verification[_.-]?code"
)
_VALUE = r"[^\s&#;\"'<>()\[\]{}|\\^`,]"
_PARAMETER = re.compile(
    rf"(?<=[?&#;])(?P<name>(?:amp;)?(?:{_NAMES})(?:=|%3[Dd]))(?!{re.escape(Sensitive.TOKEN.mark)})(?:\[|{_VALUE}){_VALUE}*+",
    re.IGNORECASE,
)
_CODE = re.compile(
    rf"(?<=[?&#])(?P<name>(?:amp;)?(?:code|state|hash|t|k|s|h|u|uid|r|c)=)(?P<value>{_VALUE}{{20,}}+)", re.IGNORECASE
)
"""Parameters of any use: a long value with digits among its letters is a secret, a voucher's code is not."""
_LOGIN = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]{1,15}+://)(?P<login>[^\s/?#@\"'<>\[\]]++(?:@[^\s/?#@\"'<>\[\]]++)?)@", re.IGNORECASE
)
_PATH = re.compile(
    r"(?P<words>/(?:reset|reset[_-]?password|password[_-]?reset|password/(?:reset|edit)|verify|verify[_-]?email|verification|confirm|"
    r"confirmation|activate|activation|magic|magic[_-]?link|invite|invitation|unsubscribe|login|signin|auth|token|session|optout)/)"
    r"(?P<value>[\w.~=%+-]{16,}+)",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[a-z]++(?:[-_][a-z]++)*+", re.IGNORECASE)
_LAST_WORD = re.compile(r"\w++")
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{8,}+\.[\w-]{8,}+\.[\w-]*+")


def redact_url_tokens(text: str) -> tuple[str, int]:
    """Replace secrets in addresses by their mark; returns the text and how many there were."""
    found = 0

    def keep_name(match: re.Match[str]) -> str:
        nonlocal found
        found += 1
        return match["name"] + Sensitive.TOKEN.mark + _trailing_stop(match)

    def keep_if_random(match: re.Match[str]) -> str:
        nonlocal found
        if not _is_random(match["value"]):
            return match[0]
        found += 1
        return match[1] + Sensitive.TOKEN.mark + _trailing_stop(match)

    def keep_scheme(match: re.Match[str]) -> str:
        nonlocal found
        found += 1
        return f"{match['scheme']}{Sensitive.TOKEN.mark}@"

    if "://" in text:
        text = _LOGIN.sub(keep_scheme, text)
    if "=" in text or "%3D" in text or "%3d" in text:
        text = _CODE.sub(keep_if_random, _PARAMETER.sub(keep_name, text))
    if "/" in text:
        text = _PATH.sub(keep_if_random, text)
    if "eyJ" in text:
        text, tokens = _JWT.subn(Sensitive.TOKEN.mark, text)
        found += tokens
    return text, found


def _trailing_stop(match: re.Match[str]) -> str:
    """A stop after the address ends the sentence, not the secret."""
    return match[0][-1] if match[0][-1] in ".!?:" and len(match[0]) > len(match[1]) + 1 else ""


def _is_random(value: str) -> bool:
    """Whether a value looks drawn at random: letters and digits mixed, or hexadecimal, and no words with dashes."""
    letters = sum(char.isalpha() for char in value)
    digits = sum(char.isdigit() for char in value)
    return digits >= 3 and letters >= 3 and not _is_words(value)


def _is_words(value: str) -> bool:
    """Whether words stand before the last dash, or before the first underscore where there is no dash."""
    words, dash, last = value.rpartition("-")
    if not dash:
        words, _, last = value.partition("_")
    return bool(_WORDS.fullmatch(words) and _LAST_WORD.fullmatch(last))
