"""Resources: the home, its lake, and links into MLflow. Nothing is opened before a step asks for it.

Without `from __future__ import annotations`: Dagster links resources to one another by annotations that are types,
not text, and would silently give each its own unconfigured home.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from dagster_project.lock import holding
from dagster_project.past_runs import LOOP
from feedback.settings.home import Settings, load_settings

if TYPE_CHECKING:
    from lakehouse.lake import Lake


class SharedHome(dg.ConfigurableResource[Any]):
    """The home folder of a run that takes no lock."""

    home: str = Field(default="", description="The home folder; empty means HEED_HOME, else ~/.heed.")
    overrides: dict[str, Any] = Field(default={}, description="Settings by name that win over heed.toml.")

    @property
    def settings(self) -> Settings:
        """The home's settings, read anew."""
        return load_settings(self.home or None, **self.overrides)


class HeedHome(SharedHome):
    """The home folder of a run of the loop; holds the loop's lock while the run lasts.

    When the run ends, well or not, old bundles, runs and versions are pruned by the home's settings.
    """

    wait_seconds: float = Field(default=1800.0, description="How long to wait while another loop runs on this home.")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["HeedHome"]:
        """Hold the home's loop lock for as long as the run lasts."""
        if context.run is None:
            yield self
            return
        with holding(self.settings.paths.run_folder, owner=context.run.run_id, wait_seconds=self.wait_seconds):
            try:
                yield self
            finally:
                if context.run.job_name == LOOP and context.instance is not None:
                    self._prune(context, context.instance)

    def _prune(self, context: dg.InitResourceContext, instance: dg.DagsterInstance) -> None:
        from dagster_project.retention import prune

        pruned = prune(self.settings, instance, now=datetime.now(UTC))
        if context.log is not None:
            context.log.info(pruned.words)
            for problem in pruned.problems:
                context.log.warning(problem)


class LakeResource(dg.ConfigurableResource[Any]):
    """The home's Delta tables."""

    heed: dg.ResourceDependency[HeedHome]

    def open(self) -> "Lake":
        """The lake."""
        from lakehouse.lake import open_lake

        return open_lake(self.heed.settings)


class TrackingResource(dg.ConfigurableResource[Any]):
    """Where MLflow's pages are, so that metadata can point there."""

    heed: dg.ResourceDependency[HeedHome]
    base_url: str = Field(default="", description="MLflow's address for people; empty means this home's own.")

    def run_url(self, run_id: str) -> str:
        """The page of one MLflow run."""
        from models.tracking.runs import Tracking

        settings = self.heed.settings
        base = self.base_url or f"http://{settings.http.host}:{settings.mlflow.port}"
        experiment = Tracking(settings.mlflow, settings.paths).experiment_id()
        return f"{base}/#/experiments/{experiment}/runs/{run_id}"


@dg.definitions
def resources() -> dg.Definitions:
    """One home for all; steps of a run share its process, one Spark session and one import of each library."""
    heed = HeedHome.configure_at_launch()
    return dg.Definitions(
        resources={
            "heed": heed,
            "lake": LakeResource(heed=heed),
            "tracking": TrackingResource(heed=heed),
            "shared_home": SharedHome.configure_at_launch(),
        },
        executor=dg.in_process_executor,
    )
