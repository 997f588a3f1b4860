"""Names of settings: how a file, the environment and an override spell them, and which older names still work."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping
from typing import Any, get_origin, get_type_hints

import msgspec

from feedback.errors import SettingsError

Key = tuple[str, str]
"""A setting: its section and its name in the section."""

VARIABLE_PREFIX = "HEED_"

EARLIER_NAMES: Mapping[str, Key] = types.MappingProxyType(
    {
        "accept_placeholder_ids": ("admission", "accept_placeholder_ids"),
        "bundles_kept": ("learning", "bundles_kept"),
        "dedup_window_days": ("landing", "dedup_window_days"),
        "expect_landing": ("landing", "expected"),
        "host": ("http", "host"),
        "lake_history_days": ("maintenance", "lake_history_days"),
        "landing_history_hours": ("maintenance", "landing_history_hours"),
        "learn_after_events": ("learning", "after_events"),
        "learn_pause_minutes": ("learning", "pause_minutes"),
        "list_length": ("serving", "list_length"),
        "max_body_bytes": ("http", "max_body_bytes"),
        "max_event_bytes": ("admission", "max_event_bytes"),
        "max_future_seconds": ("admission", "max_future_seconds"),
        "max_record_bytes": ("landing", "max_record_bytes"),
        "max_record_events": ("landing", "max_record_events"),
        "nightly_cron": ("learning", "nightly_cron"),
        "port": ("http", "port"),
        "refused_days": ("maintenance", "refused_days"),
        "registered_models_kept": ("mlflow", "registered_models_kept"),
        "seed": ("learning", "seed"),
        "table_versions_kept": ("maintenance", "table_versions_kept"),
        "timezone": ("learning", "timezone"),
    }
)
"""Names from before the sections; they work like the others."""

RENAMED: Mapping[str, Key] = types.MappingProxyType(
    {
        "signals": ("windows", "enabled"),
        "signals_every_seconds": ("windows", "every_seconds"),
        "signals_kept_windows": ("windows", "kept"),
        "signals_lateness_seconds": ("windows", "lateness_seconds"),
        "upkeep_every_seconds": ("maintenance", "every_seconds"),
        "upkeep_memory_mb": ("maintenance", "memory_mb"),
        "upkeep_orphan_hours": ("maintenance", "orphan_hours"),
    }
)
"""Names whose word was replaced; they work with a warning."""


class SettingNames:
    """The names of every setting of some sections.

    `batch_events` of the section `landing` is `[landing] batch_events` or `landing_batch_events` in the file,
    `HEED_LANDING_BATCH_EVENTS` in the environment and `landing_batch_events=…` as an override.
    """

    def __init__(self, sections: Mapping[str, type[msgspec.Struct]]) -> None:
        self.sections = sections
        own = {f"{name}_{field}": (name, field) for name, s in sections.items() for field in s.__struct_fields__}
        self.keys: Mapping[str, Key] = {**EARLIER_NAMES, **RENAMED, **own}
        self._variables = {variable_of(name).lower() for name in self.keys}
        self._tables = {
            (name, field)
            for name, struct in sections.items()
            for field, kind in get_type_hints(struct).items()
            if get_origin(kind) in (dict, list)
        }

    def earlier(self, key: Key) -> list[str]:
        """The older flat names of a setting."""
        return [name for name, found in (*EARLIER_NAMES.items(), *RENAMED.items()) if found == key]

    def given(self, values: Mapping[str, Any], where: str) -> Given:
        """Sort what a file or a caller gives, as flat names and sections.

        Raises:
            SettingsError: A name is unknown, or one setting is given twice.
        """
        found = Given(where)
        for name, value in values.items():
            if name in self.sections:
                for field, inner in self._section(name, value, where).items():
                    found.add((name, field), f"[{name}] {field}", inner)
            elif name in self.keys:
                found.add(self.keys[name], name, value, renamed=name in RENAMED)
            else:
                raise SettingsError(f"{where}: `{name}` is not a setting{self._nearest(name)}")
        return found

    def given_in(self, environment: Mapping[str, str]) -> Given:
        """Sort what the environment gives; variables that name no setting are left alone.

        Raises:
            SettingsError: A table or list is not JSON, or one setting is given twice.
        """
        found = Given("environment")
        for name, key in self.keys.items():
            variable = variable_of(name)
            if (raw := environment.get(variable)) is not None:
                value = _json(variable, raw) if key in self._tables else raw
                found.add(key, variable, value, renamed=name in RENAMED)
        return found

    def misspelt(self, environment: Iterable[str]) -> dict[str, str]:
        """Variables that name no setting but nearly do, each with the one that was meant.

        They are no error: other programs, such as Kubernetes for its services, set variables of any name.
        """
        known = {variable_of(name) for name in self.keys if name not in RENAMED}
        unknown = (v for v in environment if v.startswith(VARIABLE_PREFIX) and v.lower() not in self._variables)
        return {variable: near for variable in unknown if (near := _near(variable, known, cutoff=0.95))}

    def _section(self, name: str, value: object, where: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise SettingsError(f"{where}: `{name}` is a section, not a setting; write [{name}] and its settings below")
        for field in value:
            if field not in self.sections[name].__struct_fields__:
                known = self.sections[name].__struct_fields__
                near = _near(field, known) or _near(field, (f"{name}_{own}" for own in known))
                hint = near.removeprefix(f"{name}_")
                told = f"; did you mean `{hint}`?" if near else self._nearest(field)
                raise SettingsError(f"{where}: [{name}] has no setting `{field}`{told}")
        return value

    def _nearest(self, name: str) -> str:
        if near := _near(name, self.sections):
            return f"; did you mean the section [{near}]?"
        if near := _near(name, (known for known in self.keys if known not in RENAMED)):
            section, field = self.keys[near]
            return f"; did you mean `{near}`, that is `{field}` in [{section}]?"
        return f"; docs/settings.md names them all, in the sections {', '.join(self.sections)}"


class Given:
    """What one source gives, by setting."""

    def __init__(self, where: str) -> None:
        self.values: dict[Key, Any] = {}
        self.renamed: dict[str, Key] = {}
        self._where = where
        self._names: dict[Key, str] = {}

    def add(self, key: Key, name: str, value: object, *, renamed: bool = False) -> None:
        """Take one.

        Raises:
            SettingsError: The source gives the setting under another name too.
        """
        if key in self._names:
            raise SettingsError(
                f"{self._where}: `{self._names[key]}` and `{name}` are one setting ({dotted(key)}); keep one of them"
            )
        self._names[key] = name
        self.values[key] = value
        if renamed:
            self.renamed[name] = key

    def place(self, key: tuple[str, ...]) -> str:
        """The source, and the name under which it gives a setting; empty where it does not."""
        return next((f"{self._where}: `{name}`" for known, name in self._names.items() if known == key), "")


def dotted(key: Key) -> str:
    """A setting's full name, like `landing.batch_events`."""
    return ".".join(key)


def variable_of(name: str) -> str:
    """The environment variable of a flat name."""
    return VARIABLE_PREFIX + name.upper()


def _near(name: str, known: Iterable[str], *, cutoff: float = 0.7) -> str:
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return found[0] if found else ""


def _json(variable: str, raw: str) -> object:
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        hint = """write a list as '["a", "b"]', a table as '{"a": "b"}'"""
        raise SettingsError(f"{variable}: not valid JSON ({error}); {hint}") from error
