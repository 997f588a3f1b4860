"""The admitted form of an event: flat, pseudonymous, one JSON line in the feedback log.

Flat and with times in microseconds since 1970 (UTC), so that landing reads a whole batch with one columnar JSON
parse. Fields without a value are left out.
"""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Any

import msgspec

from feedback.contract import CONTRACT_VERSION


class AdmittedEvent(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """One event as it stands in the log; each field is a column of the `feedback` table."""

    v: int
    id: str
    kind: str
    subject: str | None = None
    item_id: str | None = None
    occurred_at: int
    received_at: int
    source: str
    value: float | None = None
    scale_min: float | None = None
    scale_max: float | None = None
    label: str | None = None
    text: str | None = None
    order_id: str | None = None
    quantity: float | None = None
    price: float | None = None
    currency: str | None = None
    decision_id: str | None = None
    device: str | None = None
    os: str | None = None
    app: str | None = None
    locale: str | None = None
    country: str | None = None
    region: str | None = None
    page: str | None = None
    section: str | None = None
    session_id: str | None = None
    referrer: str | None = None
    position: int | None = None
    consent: list[str] | None = None
    payload: str | None = None
    attributes: str | None = None
    undated: bool | None = None


COLUMN_OF_FIELD: dict[str, str] = {
    "reaction": "label",
    "metric": "label",
    "channel": "label",
    "state": "label",
    "seconds": "value",
    "depth": "value",
    "query": "text",
}
"""Contract fields that share a column under another name; fields without a column go to `payload`."""


IDENTITY_FIELDS = ("user_id", "anonymous_id")
"""Raw ids of persons: removed from every line after the gateway, whoever wrote it."""

HIDDEN = "[hidden]"
"""Replaces a raw id in a line of a producer that bypassed the gateway."""


DERIVED_PREFIX = "auto-"
DERIVED_LENGTH = len(DERIVED_PREFIX) + 32
"""Characters of a derived id; the suffix after them tells events of equal content apart."""

_encode = msgspec.json.Encoder(order="deterministic").encode


ITEM_OWNER = "item:"
"""Before an item's id, the owner of an event without a subject."""


def owner_of(subject: str | None, item_id: str | None) -> str:
    """The owner of an event: the subject, else the item. Ids are unique per owner, kind and source; the owner decides
    the partition."""
    return subject if subject is not None else f"{ITEM_OWNER}{item_id}"


def identity_key(owner: str, kind: str, source: str, event_id: str) -> bytes:
    """A 16-byte key of an event's identity to remember it by."""
    return hashlib.blake2b(f"{owner}\0{kind}\0{source}\0{event_id}".encode(), digest_size=16).digest()


def former_identity_key(owner: str, event_id: str) -> bytes:
    """The key that earlier releases remembered an event by: of its owner and id alone."""
    return hashlib.blake2b(f"{owner}\0{event_id}".encode(), digest_size=16).digest()


def content_digest(content: dict[str, Any], *, compose: bool = True) -> bytes:
    """16 bytes that tell one content from another.

    Texts that only differ in Unicode's composition are one content, unless `compose` is off. The item's id is
    compared byte for byte: two spellings are two items.
    """
    canonical = _encode(content)
    if compose and not canonical.isascii() and not unicodedata.is_normalized("NFC", canonical.decode()):
        composed = {name: value if name == "item_id" else _composed(value) for name, value in content.items()}
        canonical = _encode(composed)
    return hashlib.blake2b(canonical, digest_size=16).digest()


def derived_id(digest: bytes) -> str:
    """The id of an event that came without one: a digest of its source and content, so that a retry collides."""
    return DERIVED_PREFIX + digest.hex()


def _composed(value: Any) -> Any:  # noqa: ANN401 - a column's value
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


__all__ = [
    "COLUMN_OF_FIELD",
    "CONTRACT_VERSION",
    "DERIVED_LENGTH",
    "DERIVED_PREFIX",
    "HIDDEN",
    "IDENTITY_FIELDS",
    "AdmittedEvent",
    "content_digest",
    "derived_id",
    "former_identity_key",
    "identity_key",
    "owner_of",
]
