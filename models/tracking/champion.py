"""MLflow's champion is the version that serves: the pointer of the bundles says which, the registry follows.

The pointer moves first, in one step; a crash before the registry has followed is healed by whoever comes next, the next
run or the next rollback.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from feedback.errors import BundleCorrupt
from feedback.settings.learning import MlflowSettings
from feedback.settings.paths import HomePaths
from models.bundle.store import BundleStore
from models.tracking.runs import CHAMPION, Tracking

SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Champion:
    """Who the registry's champion is, and whether it is what serves."""

    version: str | None
    """Of the registered model; None where what serves was never registered, as what is popular is not."""
    problem: str | None = None
    """Why the registry could not be told."""


def align_champion(mlflow: MlflowSettings, paths: HomePaths) -> Champion:
    """Let the registry's champion be the version that serves, and nobody where that one is not registered.

    It never raises: what serves does not depend on MLflow.
    """
    try:
        manifest = BundleStore(paths.bundles).current_manifest()
    except BundleCorrupt as error:
        return Champion(None, problem=str(error))
    if manifest is None or not has_registry(mlflow):
        return Champion(None)
    try:
        tracking = Tracking(mlflow, paths)
        wanted = manifest.mlflow_model_version
        if wanted is not None and not tracking.has_version(wanted):
            wanted = None
        holder = tracking.holder(CHAMPION)
        if wanted is None and holder is not None:
            tracking.dethrone()
        elif wanted is not None and (holder is None or holder.version != wanted):
            tracking.promote(wanted)
        return Champion(wanted)
    except Exception as error:  # MLflow's stores raise their own, their drivers' and their servers'
        return Champion(None, problem=f"MLflow at {address(mlflow)}: {_first_line(error)}")


def has_registry(mlflow: MlflowSettings) -> bool:
    """Whether there can be a registry: looking for one would make an empty database."""
    named = mlflow.url
    return not named.startswith(SQLITE) or Path(named.removeprefix(SQLITE)).exists()


def address(mlflow: MlflowSettings) -> str:
    """MLflow's address without a password."""
    from urllib.parse import urlsplit, urlunsplit

    parts = urlsplit(mlflow.url)
    if parts.password is None:
        return mlflow.url
    return urlunsplit(parts._replace(netloc=f"{parts.username}:…@{parts.netloc.rpartition('@')[2]}"))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
