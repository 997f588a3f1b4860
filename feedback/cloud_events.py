"""CloudEvents 1.0 in structured JSON mode: the event inside an envelope, and what the envelope says beside it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec

from feedback.errors import Code
from feedback.fields.attributes import add_unknown
from feedback.verdicts import Rejected

_REQUIRED = ("specversion", "id", "source", "type")
_FRAME = frozenset({*_REQUIRED, "time", "data", "data_base64"})
"""Envelope attributes that become fields of the event; all others are kept in its attributes."""
_ATTRIBUTE_OF_FIELD = {"kind": "type", "occurred_at": "time"}


def open_cloud_event(envelope: Mapping[str, Any]) -> dict[str, Any] | Rejected:
    """Take the event out of a CloudEvents 1.0 envelope in structured JSON mode.

    The envelope's `id`, `source` and `time` fill in where the data has none; `type` names the kind (`heed.rating` or
    `rating`) where the data does not. Extension attributes, `subject`, `dataschema`, and what the data states
    otherwise, are kept in `attributes`. An optional attribute that is null is absent.
    """
    for name in _REQUIRED:
        if not isinstance(envelope.get(name), str) or not envelope[name]:
            return Rejected(Code.BAD_ENVELOPE, f"CloudEvents attribute `{name}` is missing or not text", name)
    if envelope["specversion"] != "1.0":
        detail = f"specversion {envelope['specversion'][:16]!r} is not 1.0"
        return Rejected(Code.BAD_ENVELOPE, detail, "specversion")
    data = _data_of(envelope)
    if isinstance(data, Rejected):
        return data
    fields = dict(data)
    stated = {
        "id": envelope["id"],
        "source": envelope["source"],
        "kind": envelope["type"].rsplit(".", 1)[-1],
        "occurred_at": envelope.get("time"),
    }
    besides = {name: value for name, value in envelope.items() if name not in _FRAME and value is not None}
    if _is_json(besides.get("datacontenttype")):
        del besides["datacontenttype"]  # says how `data` is written, nothing about the event
    for name, value in stated.items():
        if fields.get(name) is None:
            fields.pop(name, None)
            fields.update({} if value is None else {name: value})
        elif value is not None and fields[name] != value:
            attribute = _ATTRIBUTE_OF_FIELD.get(name, name)
            besides[attribute] = envelope[attribute]
    return _with_attributes(fields, besides)


def _data_of(envelope: Mapping[str, Any]) -> dict[str, Any] | Rejected:
    event_id = envelope["id"][:128]
    content_type = envelope.get("datacontenttype")
    if content_type is not None and not isinstance(content_type, str):
        return Rejected(Code.BAD_ENVELOPE, "`datacontenttype` is not text", "datacontenttype", event_id)
    data = envelope.get("data")
    if data is None and envelope.get("data_base64") is not None:
        data = _decoded(envelope["data_base64"])
        if not isinstance(data, dict):
            detail = "`data_base64` does not hold the event as a JSON object; send it as `data`"
            return Rejected(Code.BAD_ENVELOPE, detail, "data_base64", event_id)
    if isinstance(data, dict):
        return data
    if content_type is not None and not _is_json(content_type):
        detail = f"`data` is {content_type[:64]!r}; it must be the event as a JSON object"
        return Rejected(Code.BAD_ENVELOPE, detail, "datacontenttype", event_id)
    return Rejected(Code.BAD_ENVELOPE, "`data` must be the event as a JSON object", "data", event_id)


def _decoded(text: object) -> object:
    """The JSON in base64 text; `None` where it is no such thing."""
    try:
        return msgspec.json.decode(base64.b64decode(text, validate=True)) if isinstance(text, str) else None
    except (binascii.Error, ValueError, RecursionError):
        return None


def _is_json(content_type: object) -> bool:
    """Return True for `application/json`, `text/json` and types like `application/vnd.shop+json`."""
    if not isinstance(content_type, str):
        return False
    subtype = content_type.partition(";")[0].strip().lower().rpartition("/")[2]
    return subtype == "json" or subtype.endswith("+json")


def _with_attributes(fields: dict[str, Any], besides: dict[str, Any]) -> dict[str, Any]:
    attributes = fields.get("attributes") or {}
    if not besides or not isinstance(attributes, dict):  # attributes of another type: the contract refuses them
        return fields
    attributes = dict(attributes)
    add_unknown(attributes, {name: besides[name] for name in sorted(besides)})
    return {**fields, "attributes": attributes}
