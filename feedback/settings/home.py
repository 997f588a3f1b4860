"""Every address, port and knob of Heed, by section, for one home.

Precedence: override > environment (`HEED_<SECTION>_<NAME>`) > `heed.toml` in the home folder > default. Everything
that decides how large Heed is (log, lake, runner, Spark master, stores) is an address in here.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from feedback.errors import HomeError, SettingsError
from feedback.settings.folders import refuse_unusable_folder
from feedback.settings.landing import AdmissionSettings, BeamSettings, LandingSettings, WindowSettings
from feedback.settings.learning import DagsterSettings, LearningSettings, MlflowSettings, SparkSettings
from feedback.settings.maintenance import MaintenanceSettings
from feedback.settings.names import Given, Key, SettingNames, dotted, variable_of
from feedback.settings.paths import HomePaths
from feedback.settings.serving import HttpSettings, ServingSettings
from feedback.settings.stores import LakeSettings, LogSettings, OnlineSettings

LOGGER = logging.getLogger("heed.settings")
DEFAULT_HOME = "~/.heed"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one home, by section. `load_settings` makes them; pass a section on where it is enough."""

    home: str
    http: HttpSettings
    admission: AdmissionSettings
    log: LogSettings
    landing: LandingSettings
    windows: WindowSettings
    beam: BeamSettings
    lake: LakeSettings
    maintenance: MaintenanceSettings
    online: OnlineSettings
    learning: LearningSettings
    spark: SparkSettings
    mlflow: MlflowSettings
    dagster: DagsterSettings
    serving: ServingSettings

    @property
    def paths(self) -> HomePaths:
        """The home's files and folders."""
        return HomePaths(Path(self.home))

    def flat(self) -> dict[str, Any]:
        """Every setting by its flat name, as `load_settings` takes it."""
        return {f"{section}_{name}": value for (section, name), value in _values(self).items()}


@functools.cache
def setting_names() -> SettingNames:
    """The names of all settings."""
    return SettingNames({name: kind for name, kind in get_type_hints(Settings).items() if name != "home"})


def load_settings(home: str | Path | None = None, **overrides: Any) -> Settings:  # noqa: ANN401 - any setting's value
    """Read the settings of a home folder.

    Args:
        home: The folder; by default `HEED_HOME`, else `~/.heed`. It need not exist yet.
        **overrides: Settings by flat name, which win over file and environment; `None` is ignored.

    Raises:
        SettingsError: A name is unknown, a setting is given twice in one place, or a value does not fit.
    """
    folder = Path(home or os.environ.get("HEED_HOME") or DEFAULT_HOME).expanduser().absolute()
    names, file = setting_names(), folder / "heed.toml"
    sources = (
        names.given(_file_values(file), str(file)),
        names.given_in(os.environ),
        names.given(_told(overrides), f"settings of {folder}"),
    )
    _warn(names, sources)
    return _convert(folder, {key: value for source in sources for key, value in source.values.items()}, sources)


def override_settings(settings: Settings, **overrides: Any) -> Settings:  # noqa: ANN401 - any setting's value
    """Change some settings by flat name, checked as in `load_settings`; `None` is ignored.

    Raises:
        SettingsError: A name is unknown or a value does not fit.
    """
    given = setting_names().given(_told(overrides), f"settings of {settings.home}")
    return _convert(Path(settings.home), {**_values(settings), **given.values}, (given,))


def settings_environment(environment: Mapping[str, str], home: str, **changes: str) -> dict[str, str]:
    """Give a child process the home and some settings by flat name, under no other name that is already set."""
    names = setting_names()
    changed = {names.keys[name] for name in changes}
    kept = {name for name, key in names.keys.items() if key in changed}
    dropped = {variable_of(name) for name in kept}
    told = {variable_of("_".join(names.keys[name])): value for name, value in changes.items()}
    return {name: value for name, value in environment.items() if name not in dropped} | told | {"HEED_HOME": home}


def ensure_home(settings: Settings) -> Path:
    """Make the home folder (mode 0700) and check that it can be written.

    Raises:
        HomeError: It cannot be made or written, or its tables could not be found again under its name.
    """
    home = settings.paths.home
    if "://" not in settings.lake.uri:
        refuse_unusable_folder(settings.lake.uri)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = home / ".writable"
        probe.write_text("", encoding="utf-8")
        probe.unlink()
    except OSError as error:
        raise HomeError(
            f"home folder {home} cannot be used: {error.strerror or error}; choose another with --home DIR or HEED_HOME"
        ) from error
    return home


def _convert(folder: Path, values: Mapping[Key, Any], sources: Iterable[Given]) -> Settings:
    nested: dict[str, Any] = {section: {} for section in setting_names().sections}
    for (section, name), value in values.items():
        nested[section][name] = value
    for section, name, address in _addresses(HomePaths(folder)):
        nested[section][name] = nested[section].get(name) or address
    try:
        return msgspec.convert({**nested, "home": str(folder)}, Settings, strict=False)
    except msgspec.ValidationError as error:
        where = _place_of(str(error), sources) or f"settings of {folder}"
        raise SettingsError(f"{where}: {error}; see docs/settings.md for names and ranges") from error


def _place_of(error: str, sources: Iterable[Given]) -> str:
    """Who gave the value that an error is about, and under which name; empty where nobody did."""
    found = re.search(r"`\$\.(\w+)\.(\w+)", error)
    told = [source.place(found.groups()) for source in sources] if found else []
    return next(filter(None, reversed(told)), "")


def _addresses(paths: HomePaths) -> Iterable[tuple[str, str, str]]:
    """The stores that a home holds itself where no other address is set."""
    yield "log", "url", f"sqlite:///{paths.log_file}"
    yield "lake", "uri", str(paths.lake)
    yield "online", "url", f"sqlite:///{paths.online_file}"
    yield "mlflow", "url", f"sqlite:///{paths.mlflow_file}"


def _values(settings: Settings) -> dict[Key, Any]:
    return {
        (section, name): getattr(getattr(settings, section), name)
        for section, struct in setting_names().sections.items()
        for name in struct.__struct_fields__
    }


def _told(overrides: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in overrides.items() if value is not None}


def _file_values(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    except OSError as error:
        raise HomeError(f"{path} cannot be read: {error.strerror}") from error
    values.pop("home", None)  # the folder is where the file is
    return values


_warned: set[str] = set()


def _warn(names: SettingNames, sources: Iterable[Given]) -> None:
    """Say once in a process which names were replaced, and which variables are misspelt."""
    told = {
        **{name: f"is called {dotted(key)} now" for source in sources for name, key in source.renamed.items()},
        **{name: f"is not a setting; {near} is" for name, near in names.misspelt(os.environ).items()},
    }
    new = [name for name in told if name not in _warned]
    if new:
        _warned.update(new)
        LOGGER.warning("settings: %s", "; ".join(f"{name} {told[name]}" for name in new))
