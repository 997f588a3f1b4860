"""The files and folders of a home."""

from __future__ import annotations

from pathlib import Path

import msgspec


class HomePaths(msgspec.Struct, frozen=True):
    """The paths in a home folder."""

    home: Path
    """The home folder."""

    @property
    def log_file(self) -> Path:
        """The feedback log, unless the settings name another."""
        return self.home / "feedback-log.db"

    @property
    def lake(self) -> Path:
        """The Delta tables, unless the settings name another place."""
        return self.home / "lake"

    @property
    def online_file(self) -> Path:
        """The online store, unless the settings name another."""
        return self.home / "online.db"

    @property
    def mlflow_file(self) -> Path:
        """MLflow's tracking store and registry, unless the settings name another."""
        return self.home / "mlflow.db"

    @property
    def mlflow_artifacts(self) -> Path:
        """Where MLflow keeps plots and models."""
        return self.home / "mlflow-artifacts"

    @property
    def bundles(self) -> Path:
        """Published bundles and the pointer to the current one."""
        return self.home / "bundles"

    @property
    def dagster_home(self) -> Path:
        """Dagster's instance folder."""
        return self.home / "dagster"

    @property
    def docs_site(self) -> Path:
        """Great Expectations' Data Docs."""
        return self.home / "data-docs"

    @property
    def refused(self) -> Path:
        """Files of rows that an import refused."""
        return self.home / "refused"

    @property
    def cache(self) -> Path:
        """The demo's downloads."""
        return self.home / "cache"

    @property
    def subject_key_file(self) -> Path:
        """The key of the pseudonyms, mode 0600."""
        return self.home / "keys" / "subjects.key"

    @property
    def api_keys_file(self) -> Path:
        """The hashed API keys, mode 0600."""
        return self.home / "keys" / "api-keys.json"

    @property
    def run_folder(self) -> Path:
        """Process files of `heed up`: lock, supervisor socket, logs."""
        return self.home / "run"

    @property
    def landing_beat_file(self) -> Path:
        """A landing stream on this home touches it as long as it reads, and removes it at an orderly end."""
        return self.run_folder / "landing.beat"
