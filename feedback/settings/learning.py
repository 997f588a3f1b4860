"""Settings of learning: when the loop runs, and Spark, MLflow and Dagster below it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from feedback.settings.fields import Port, Positive, says


class LearningSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The loop: when it starts, and what it keeps."""

    after_events: Annotated[
        Positive,
        says("New events after which the sensor starts the loop.", "More, where the loop runs too often."),
    ] = 1000
    pause_minutes: Annotated[
        float,
        msgspec.Meta(ge=0),
        says(
            "Least time between two starts of the loop by the sensor; a run is also followed by a rest as long as "
            "itself. The nightly loop and `heed run` do not wait.",
            "Longer, to leave the machine to serving; 0 in tests.",
        ),
    ] = 15.0
    nightly_cron: Annotated[
        str,
        says("When the nightly loop starts, as a cron line.", "To run in your quiet hour."),
    ] = "0 3 * * *"
    timezone: Annotated[
        str,
        says("Time zone of Dagster's schedules.", "To give `nightly_cron` in local time."),
    ] = "UTC"
    seed: Annotated[int, says("Seed of splits and fits.", "To see how far figures depend on it.")] = 42
    bundles_kept: Annotated[
        Positive,
        says("Published bundles on disk.", "More, to roll back further."),
    ] = 5


class SparkSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where ALS is fitted."""

    master: Annotated[str, says("Spark master.", "A cluster, or fewer cores: `local[2]`.")] = "local[*]"
    memory: Annotated[
        str,
        says("Memory of Spark's driver.", "More, when a fit runs out of memory."),
    ] = "2g"


class MlflowSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """MLflow: where fits are recorded and models registered, and how many stay."""

    url: Annotated[
        str,
        says(
            "Tracking store and registry, as MLflow's tracking URI.",
            "A shared MLflow, or PostgreSQL.",
            default="`mlflow.db` in the home",
        ),
    ] = ""
    port: Annotated[Port, says("Port of MLflow's pages under `heed up`.", "When the port is taken.")] = 5000
    runs_kept: Annotated[
        int,
        msgspec.Meta(ge=20),
        says("Newest fits that are kept; a loop records about six.", "More, for a longer history."),
    ] = 500
    registered_models_kept: Annotated[
        Positive,
        says(
            "Newest versions of the registered model that are kept; those with an alias or behind a kept bundle stay "
            "beyond that ([how to](how-to/operate.md)).",
            "More, for a longer history.",
        ),
    ] = 10


class DagsterSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Dagster: its pages, and how many runs stay."""

    port: Annotated[Port, says("Port of Dagster's pages under `heed up`.", "When the port is taken.")] = 3000
    runs_kept: Annotated[
        Positive,
        says("Newest ended runs of the loop, and of maintenance, that are kept.", "More, for a longer history."),
    ] = 100
