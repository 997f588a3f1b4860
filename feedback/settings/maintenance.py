"""Settings of maintenance: compaction, checkpoints, and how long things are kept."""

from __future__ import annotations

from typing import Annotated

import msgspec

from feedback.settings.fields import Positive, PositiveSeconds, says


class MaintenanceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Maintenance of the tables, and what is removed with age."""

    every_seconds: Annotated[
        PositiveSeconds,
        says("Pause between two passes of maintenance under `heed up`.", "Longer, to save CPU on a small machine."),
    ] = 30.0
    memory_mb: Annotated[
        int,
        msgspec.Meta(ge=512),
        says("Most memory of maintenance's child process, in MiB.", "More, where a table is left out as too large."),
    ] = 1024
    orphan_hours: Annotated[
        float,
        msgspec.Meta(ge=0.5),
        says(
            "How old a data file that no commit names must be to be removed.",
            "Longer, where a batch may take longer from its first file to its commit.",
        ),
    ] = 1.0
    landing_history_hours: Annotated[
        Positive,
        says(
            "How long `feedback`, `quarantine` and `signals` keep replaced files and log entries for readers.",
            "Longer than your longest reader holds one version.",
        ),
    ] = 4
    lake_history_days: Annotated[
        Positive,
        says(
            "How far back time travel goes in the tables that the loop replaces.",
            "Longer, to compare with older states; it costs disk.",
        ),
    ] = 7
    table_versions_kept: Annotated[
        int,
        msgspec.Meta(ge=2),
        says(
            "Newest versions of `items`, `interactions` and `evaluations` that stay; `lake_history_days` holds too.",
            "Fewer, to save disk where the loop runs often.",
        ),
    ] = 30
    refused_days: Annotated[
        Positive,
        says("How long files of refused rows stay.", "Shorter by your rules on personal data."),
    ] = 90
