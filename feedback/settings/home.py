"""Every path, port, address and knob of Heed, in one place.

Precedence: argument > environment (`HEED_<NAME>`) > `heed.toml` in the home folder > default. Everything
that decides how large Heed is (log, lake, runner, Spark master, stores) is an address in here.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec

from feedback.errors import HomeError, SettingsError
from feedback.settings.folders import refuse_unusable_folder

DEFAULT_HOME = "~/.heed"

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
PositiveSeconds = Annotated[float, msgspec.Meta(gt=0)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one Heed home; empty addresses mean the embedded default inside the home."""

    home: str
    # addresses
    log_url: str = ""
    log_options: dict[str, str] = {}
    lake_uri: str = ""
    lake_options: dict[str, str] = {}
    online_url: str = ""
    mlflow_url: str = ""
    spark_master: str = "local[*]"
    spark_memory: str = "2g"
    beam_runner: str = "FnApiRunner"
    beam_options: list[str] = []
    # the way in
    host: str = "127.0.0.1"
    port: Port = 8080
    dagster_port: Port = 3000
    mlflow_port: Port = 5000
    max_body_bytes: Positive = 16 * 1024 * 1024
    max_event_bytes: Positive = 256 * 1024
    max_future_seconds: PositiveSeconds = 300.0
    accept_placeholder_ids: bool = False
    # the log and landing
    log_name: str = "feedback"
    log_partitions: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 4
    log_retention_days: Positive = 30
    log_lease_seconds: PositiveSeconds = 6.0
    max_record_events: Positive = 100_000
    max_record_bytes: Positive = 32 * 1024 * 1024
    landing_batch_events: Positive = 50_000
    landing_batch_bytes: Positive = 32 * 1024 * 1024
    landing_flush_seconds: PositiveSeconds = 0.15
    landing_poll_seconds: PositiveSeconds = 0.01
    landing_bundle_seconds: PositiveSeconds = 1.0
    landing_roll_minutes: PositiveSeconds = 10.0
    landing_metrics_port: Port = 9464
    landing_stalled_seconds: PositiveSeconds = 60.0
    expect_landing: bool = False
    dedup_window_days: Positive = 30
    # live windows
    signals: bool = True
    signals_every_seconds: PositiveSeconds = 5.0
    signals_lateness_seconds: PositiveSeconds = 600.0
    signals_kept_windows: Positive = 60
    # maintenance of the tables
    upkeep_every_seconds: PositiveSeconds = 30.0
    upkeep_memory_mb: Annotated[int, msgspec.Meta(ge=512)] = 1024
    upkeep_orphan_hours: Annotated[float, msgspec.Meta(ge=0.5)] = 1.0
    landing_history_hours: Positive = 4
    lake_history_days: Positive = 7
    # learning and serving
    learn_after_events: Positive = 1000
    learn_pause_minutes: Annotated[float, msgspec.Meta(ge=0)] = 15.0
    nightly_cron: str = "0 3 * * *"
    timezone: str = "UTC"
    seed: int = 42
    list_length: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10
    bundles_kept: Positive = 5
    # what the loop leaves behind
    registered_models_kept: Positive = 10
    mlflow_runs_kept: Annotated[int, msgspec.Meta(ge=20)] = 500
    dagster_runs_kept: Positive = 100
    table_versions_kept: Annotated[int, msgspec.Meta(ge=2)] = 30
    refused_days: Positive = 90

    @property
    def home_path(self) -> Path:
        """The home folder."""
        return Path(self.home)

    @property
    def log_address(self) -> str:
        """The feedback log: `sqlite:///path` or `kafka://host:port/topic`."""
        return self.log_url or f"sqlite:///{self.home_path / 'feedback-log.db'}"

    @property
    def lake_root(self) -> str:
        """The folder or object-store prefix that holds the Delta tables."""
        return self.lake_uri or str(self.home_path / "lake")

    @property
    def online_address(self) -> str:
        """The online store: `sqlite:///path`."""
        return self.online_url or f"sqlite:///{self.home_path / 'online.db'}"

    @property
    def mlflow_address(self) -> str:
        """MLflow's tracking store and registry."""
        return self.mlflow_url or f"sqlite:///{self.home_path / 'mlflow.db'}"

    @property
    def mlflow_artifacts(self) -> Path:
        """Where MLflow keeps plots and models."""
        return self.home_path / "mlflow-artifacts"

    @property
    def bundles(self) -> Path:
        """Published bundles and the pointer to the current one."""
        return self.home_path / "bundles"

    @property
    def dagster_home(self) -> Path:
        """Dagster's instance folder."""
        return self.home_path / "dagster"

    @property
    def docs_site(self) -> Path:
        """Great Expectations' Data Docs."""
        return self.home_path / "data-docs"

    @property
    def subject_key_file(self) -> Path:
        """The key of the pseudonyms, mode 0600."""
        return self.home_path / "keys" / "subjects.key"

    @property
    def api_keys_file(self) -> Path:
        """The hashed API keys, mode 0600."""
        return self.home_path / "keys" / "api-keys.json"

    @property
    def landing_beat_file(self) -> Path:
        """What a landing stream on this home touches as long as it reads on; gone once it has ended in order."""
        return self.run_folder / "landing.beat"

    @property
    def run_folder(self) -> Path:
        """Process files of `heed up`: lock, supervisor socket, logs."""
        return self.home_path / "run"


def load_settings(home: str | Path | None = None, **overrides: Any) -> Settings:  # noqa: ANN401 - any setting's value
    """Read the settings of a home folder.

    Args:
        home: The folder; by default `HEED_HOME`, else `~/.heed`. It need not exist yet.
        **overrides: Settings by name, which win over file and environment; `None` is ignored.

    Raises:
        SettingsError: A name is unknown or a value does not fit.
    """
    folder = Path(home or os.environ.get("HEED_HOME") or DEFAULT_HOME).expanduser().absolute()
    values = {**_file_values(folder / "heed.toml"), **_environment_values(os.environ)}
    values.update({name: value for name, value in overrides.items() if value is not None})
    values["home"] = str(folder)
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"settings of {folder}: {error}; see docs/settings.md for names and ranges") from error


def ensure_home(settings: Settings) -> Path:
    """Make the home folder (mode 0700) and prove that it can be written.

    Raises:
        HomeError: It cannot be made or written, or its tables could not be found again under its name.
    """
    home = settings.home_path
    if "://" not in settings.lake_root:
        refuse_unusable_folder(settings.lake_root)
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


def _file_values(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    except OSError as error:
        raise HomeError(f"{path} cannot be read: {error.strerror}") from error


def _environment_values(environment: os._Environ[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in Settings.__struct_fields__:
        raw = environment.get(f"HEED_{name.upper()}")
        if raw is None or name == "home":
            continue
        if name in ("beam_options", "lake_options", "log_options"):
            try:
                values[name] = msgspec.json.decode(raw)
            except msgspec.DecodeError as error:
                raise SettingsError(f"HEED_{name.upper()}: not valid JSON: {error}") from error
        else:
            values[name] = raw
    return values
