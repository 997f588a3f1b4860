"""The followers as a DoFn after the commit, in the same fused chain."""

from __future__ import annotations

from collections.abc import Sequence

import apache_beam as beam

from beam_jobs.batch import Batch
from beam_jobs.followers.commit_follower import CommitFollower
from beam_jobs.followers.follower import Follower
from beam_jobs.runner.pipeline_context import reported_failure
from feedback.settings.home import Settings
from lakehouse.lake import open_lake
from lakehouse.landed.continuity import open_landed_log
from lakehouse.landed.positions import Positions


class Follow(beam.DoFn):
    """Committed batches -> nothing; hands each to every follower that the settings switch on."""

    def __init__(self, kinds: Sequence[type[Follower]], settings: Settings, context_id: str) -> None:
        self._kinds = kinds
        self._settings = settings
        self._context_id = context_id
        self._followers: list[CommitFollower] = []

    def setup(self) -> None:
        """Open the followers before anything is committed; they catch up on what a crash prevented."""
        with reported_failure(self._context_id):
            since = committed_positions(self._settings)
            wanted = [kind for kind in self._kinds if kind.is_on(self._settings)]
            self._followers = [CommitFollower(kind, self._settings, since=since) for kind in wanted]

    def process(self, batch: Batch) -> None:
        """Hand over one batch; one without records makes followers look at what another worker left."""
        for follower in self._followers:
            follower.follow(batch)

    def finish_bundle(self) -> None:
        """A quiet stream ends a bundle every second; then pending work is written."""
        for follower in self._followers:
            follower.settle()

    def teardown(self) -> None:
        """Let every follower catch up; record the failure of one that must not fail a drain."""
        followers, self._followers = self._followers, []
        failed: list[Exception] = []
        for follower in followers:
            try:
                with reported_failure(self._context_id):
                    follower.close()
            except Exception as error:
                failed.append(error)
        if failed:
            raise failed[0]


def committed_positions(settings: Settings) -> Positions:
    """Up to where each partition of the settings' log has landed."""
    log = open_landed_log(settings)
    try:
        return open_lake(settings).positions(log.name, log.partitions)
    finally:
        log.close()
