"""docs/settings.md, written from the sections of the settings."""

from __future__ import annotations

import json
from typing import Any

from msgspec import NODEFAULT, inspect

from cli.development.type_words import fields_of, first_line, type_words
from cli.sizes import size_words
from feedback.settings.home import setting_names
from feedback.settings.names import EARLIER_NAMES, RENAMED, dotted, variable_of
from feedback.settings.source import ROOT

PAGE = ROOT / "docs" / "settings.md"

_INTRO = """# Settings

A home is set up by `heed.toml` in its folder, by environment variables, or in code; every setting has a default.

```toml
[landing]
flush_seconds = 0.5

[log]
url = "kafka://broker-1:9092,broker-2:9092/feedback"
options = { "security.protocol" = "SSL" }
```

- **Which one holds**: a command's own option, else the environment, else the file, else the default.
- **Names**: `flush_seconds` of `[landing]` may also stand as `landing_flush_seconds` at the top of the file. Its
  variable is `HEED_LANDING_FLUSH_SECONDS`, in code it is `load_settings(home, landing_flush_seconds=0.5)`.
- **Values** of variables are text; tables and lists are JSON: `HEED_LOG_OPTIONS='{"sasl.username": "heed"}'`.
- **Mistakes**: a name that does not exist, a value out of its range, or one setting under two names in the same place
  is refused, with what would be right. A variable `HEED_…` that names no setting is left alone; one that is a letter
  away from a setting gets a warning.
- **The home itself** is no setting: `--home DIR`, else `HEED_HOME`, else `~/.heed`.

This page is generated from `feedback/settings/`.
"""

_EARLIER = """## Earlier names

They work at the top of the file, in the environment and in code. The last column says which of them warn.

| earlier name | setting now | warns |
|---|---|---|"""


def settings_page() -> str:
    """The page as Markdown."""
    sections = setting_names().sections
    parts = [_INTRO, *(_section(name, struct) for name, struct in sections.items()), _EARLIER]
    earlier = {**dict.fromkeys(EARLIER_NAMES, ""), **dict.fromkeys(RENAMED, "yes")}
    keys = {**EARLIER_NAMES, **RENAMED}
    parts += [f"| `{name}` | `{dotted(keys[name])}` | {warns} |" for name, warns in sorted(earlier.items())]
    return "\n".join(parts) + "\n"


def _section(name: str, struct: type[Any]) -> str:
    lines = [f"## [{name}]\n", f"{first_line(struct)}\n"]
    lines += ["| setting | variable | type | default | what it does | why change it |", "|---|---|---|---|---|---|"]
    for field in fields_of(struct):
        assert isinstance(field.type, inspect.Metadata), f"{name}.{field.name}: a setting says what it does"
        what, told = (field.type.extra_json_schema or {})["description"], field.type.extra or {}
        cells = (
            f"`{field.name}`",
            f"`{variable_of(f'{name}_{field.name}')}`",
            _type(field.type),
            told["default"] or _value(field),
            what,
            told["why"],
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _type(type_: inspect.Type) -> str:
    inner = type_.type if isinstance(type_, inspect.Metadata) else type_
    return "table of text" if isinstance(inner, inspect.DictType) else type_words(inner)


def _value(field: inspect.Field) -> str:
    value = field.default if field.default is not NODEFAULT else field.default_factory()
    if field.name.endswith("_bytes"):
        return f"`{value}` ({size_words(value)})"
    return f"`{json.dumps(value)}`"
