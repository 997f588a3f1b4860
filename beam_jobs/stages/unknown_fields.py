"""Unknown fields: fields of a line without a column are kept in `attributes`.

A producer of a newer version writes fields that this release does not know. Only lines with such fields are parsed
again, one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa

from feedback.admitted import HIDDEN, IDENTITY_FIELDS
from feedback.fields.attributes import add_unknown

_DECODE = msgspec.json.Decoder(dict[str, Any]).decode
_RAW_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_ATTRIBUTES = "attributes"
_HIDDEN_RAW = msgspec.Raw(msgspec.json.encode(HIDDEN))


def keep_unknown_fields(table: pa.Table, lines: Sequence[bytes]) -> pa.Table | None:
    """Move fields that are no columns of `table` into its `attributes`; `None` if a line cannot be read as an object.

    Args:
        table: The parsed lines, one row each.
        lines: The same lines as they stood in the log.
    """
    known = frozenset(table.column_names)
    kept: list[str | None] = table.column(_ATTRIBUTES).to_pylist()
    try:
        for row, line in enumerate(lines):
            fields = _RAW_FIELDS(line)
            unknown = fields.keys() - known
            if unknown:
                kept[row] = attributes_with(kept[row], {name: fields[name] for name in sorted(unknown)})
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    position = table.column_names.index(_ATTRIBUTES)
    return table.set_column(position, table.schema.field(_ATTRIBUTES), pa.array(kept, pa.string()))


def attributes_with(attributes: str | None, unknown: dict[str, msgspec.Raw]) -> str | None:
    """The attributes (a JSON object as text) with a line's unknown fields added.

    A field without a value is left out, as everywhere. A raw id is hidden. Where an attribute of the same name is
    there already, both are kept; attributes that are no JSON object are kept under their own name.
    """
    held: dict[str, Any] = _object_of(attributes)
    stated = {name: value for name, value in unknown.items() if bytes(value) != b"null"}
    add_unknown(held, {name: _HIDDEN_RAW if name in IDENTITY_FIELDS else value for name, value in stated.items()})
    return msgspec.json.encode(held).decode() if held else attributes


def _object_of(attributes: str | None) -> dict[str, Any]:
    if attributes is None:
        return {}
    try:
        return _DECODE(attributes)
    except (msgspec.DecodeError, RecursionError):
        return {_ATTRIBUTES: attributes}
