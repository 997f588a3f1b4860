"""E-mail addresses: as they are, percent-encoded in links, and spelled out with `(at)` and `dot`."""

from __future__ import annotations

import re

from text.number_words import words
from text.sensitive import SPACES, ZERO_WIDTH, Sensitive

_LOCAL = rf"\w.+'\u2019{ZERO_WIDTH}-"
_LABEL = rf"\w{ZERO_WIDTH}-"
_TITLE = ("com", "net", "org", "edu", "gov", "info", "biz", "app", "dev", "name", "online", "shop", "store", "email")
"""Domains' ends that are believed in any case; `work.Thanks` is two sentences."""
_DOTS = ".\uff0e\u3002"
_AT_MARKS = ("@", "\uff20", "%40", "&#64;")
_FILES = words(
    "png jpg jpeg gif svg webp bmp ico css js ts py html htm php pdf txt csv json xml zip mp3 mp4 exe docx xlsx"
)
"""Ends of file names: `icon@2x.png` is no address. Those that are also countries' domains are left out."""
_PROVIDERS = "gmail|googlemail|yahoo|hotmail|outlook|live|icloud|aol|gmx|protonmail|proton|mail|msn|qq|163|yandex"
_ENDS = "com|net|org|edu|gov|info|biz|io|co|de|fr|uk|es|it|nl|br|ru|in|jp|cn|eu|me|ch|at|be|pl|se|no|dk|ca|au|mx|pt"

_ADDRESS = re.compile(
    rf"""(?<![{_LOCAL}])(?P<before>[.+'\u2019-]*+)
    (?:\w[{_LOCAL}]*+|(?<!\w)"[^"\n]{{1,64}}")
    (?:[@\uff20]|%40|&\#64;)
    (?P<domain>\w[{_LABEL}]*+(?:[.\uff0e\u3002][{_LABEL}]++)++)""",
    re.VERBOSE | re.IGNORECASE,
)
_SPACED = re.compile(
    rf"(?<![{_LOCAL}])\w[{_LOCAL}]*+(?:[{SPACES}]{{1,2}}@[{SPACES}]{{0,2}}|@[{SPACES}]{{1,2}})"
    rf"(?:{_PROVIDERS})[{SPACES}]?\.[{SPACES}]?(?:{_ENDS})\b(?:\.\w\w\b)?"
    rf"|(?<![{_LOCAL}])\w[{_LOCAL}]*+@[{SPACES}]\w[\w-]*+(?:\.[\w-]++){{0,2}}\.(?:com|net|org|edu)\b",
    re.IGNORECASE,
)
_AT = rf"[{SPACES}]{{0,2}}[\[({{<][{SPACES}]?at[{SPACES}]?[\])}}>][{SPACES}]{{0,2}}"
_DOT = (
    rf"(?:\.|[{SPACES}]{{0,2}}[\[({{<][{SPACES}]?(?:dot|punkt|punto)[{SPACES}]?[\])}}>][{SPACES}]{{0,2}}"
    rf"|[{SPACES}]dot[{SPACES}])"
)
_SPELLED = re.compile(
    rf"(?<![{_LOCAL}])(?P<local>\w[{_LOCAL}]*+)(?:{_AT}[\w-]++(?:{_DOT}[\w-]++){{0,4}}{_DOT}[a-z]{{2,18}}\b"
    rf"|[{SPACES}]at[{SPACES}](?P<said>[\w-]++)(?:[{SPACES}]dot[{SPACES}][\w-]++){{0,4}}[{SPACES}]dot[{SPACES}](?:{_ENDS})\b)",
    re.IGNORECASE,
)
_MAY_SPELL = re.compile(r"dot|[\[({<]\s?at\s?[\])}>]", re.IGNORECASE)
_NAME_LIKE = re.compile(r"[\d._+-]")
_PROVIDER = re.compile(_PROVIDERS, re.IGNORECASE)
_INVISIBLE = re.compile(f"[{ZERO_WIDTH}-]")


def redact_emails(text: str) -> tuple[str, int]:
    """Replace e-mail addresses by their mark; returns the text and how many there were."""
    found = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal found
        rest = _after_domain(match["domain"])
        if rest is None:
            return match[0]
        found += 1
        return f"{match['before']}{Sensitive.EMAIL.mark}{rest}"

    def replace_spelled(match: re.Match[str]) -> str:
        nonlocal found
        if match["said"] and not (_NAME_LIKE.search(match["local"]) or _PROVIDER.fullmatch(match["said"])):
            return match[0]  # "I looked at amazon dot com"
        found += 1
        return Sensitive.EMAIL.mark

    if any(mark in text for mark in _AT_MARKS):
        text = _ADDRESS.sub(replace, text)
        text, spaced = _SPACED.subn(Sensitive.EMAIL.mark, text)
        found += spaced
    if _MAY_SPELL.search(text):
        text = _SPELLED.sub(replace_spelled, text)
    return text, found


def _after_domain(domain: str) -> str | None:
    """What follows the domain's last label that can end one; `None` where none can."""
    end = len(domain)
    while True:
        start = max(domain.rfind(dot, 0, end) for dot in _DOTS)
        if start < 0:
            return None
        if _ends_domain(domain[start + 1 : end]):
            return domain[end:]
        end = start


def _ends_domain(label: str) -> bool:
    label = label if label.startswith("xn--") else _INVISIBLE.sub("", label)
    lowered = label.lower()
    if lowered.startswith("xn--"):
        return True
    if not 2 <= len(lowered) <= 18 or not lowered.isalpha() or lowered in _FILES:
        return False
    return lowered in _TITLE or label == lowered or label.isupper()
