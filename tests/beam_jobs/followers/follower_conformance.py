"""What every commit follower must do, whatever it keeps up to date; inherit it, and say how its store is read and lost.

Batches come from a landing without Beam over real tables; the follower and its store are the real ones.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from beam_jobs.followers import commit_follower
from beam_jobs.followers.background_worker import PAUSE_SECONDS
from beam_jobs.followers.commit_follower import CATCH_UP_SECONDS, LONGEST_WAIT_SECONDS, CommitFollower
from beam_jobs.followers.follower import Committed, Follower
from beam_jobs.landing import drain
from feedback.errors import LakeError, ServiceError
from feedback.intake import open_intake
from feedback.settings.home import Settings
from tests.beam_jobs.followers.windows.streams import World, event, numbered
from tests.support.landing.streaming import landed, ratings

LOG = numbered([event(after=n, partition=n % 2, item_id=f"i{n % 3}") for n in range(24)])


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class FollowerConformance:
    """Inherit and set `kind`, `state` and `lose`."""

    kind: ClassVar[type[Follower]]

    def state(self, settings: Settings) -> Any:
        """What the store holds, to be compared with that of another home with the same log."""
        raise NotImplementedError

    def lose(self, settings: Settings) -> None:
        """Remove the store."""
        raise NotImplementedError

    @pytest.fixture
    def world(self, settings: Settings) -> World:
        return World(settings.paths.home)

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def run(self, settings: Settings, clock: Clock) -> Iterator[Callable[[], CommitFollower]]:
        """Makes followers as a pipeline does, from the positions at the beginning; all are closed at the end."""
        made: list[CommitFollower] = []

        def start() -> CommitFollower:
            made.append(CommitFollower(self.kind, settings, since={0: 0, 1: 0}, clock=clock))
            return made[-1]

        yield start
        for follower in made:
            follower.close()

    def followed(self, settings: Settings) -> dict[int, int]:
        follower = self.kind.open(settings, since={})
        try:
            return {p: at for p, at in follower.positions().items() if at}
        finally:
            follower.abandon()

    def expected(self, settings: Settings) -> Any:
        """The state after one undisturbed reading of all that has landed."""
        self.lose(settings)
        follower = self.kind.open(settings, since={0: 0, 1: 0})
        follower.catch_up()
        follower.close()
        return self.state(settings)

    def agrees(self, settings: Settings, world: World) -> bool:
        """Whether the store stands where landing does, and holds what an undisturbed follower would."""
        at, found = self.followed(settings), self.state(settings)
        assert at == {p: end for p, end in world.positions.items() if end}
        assert found == self.expected(settings)
        return bool(found)

    def test_each_commit_is_followed(self, settings: Settings, world: World, run: Callable[[], CommitFollower]) -> None:
        follower = run()
        for start in range(0, 24, 4):
            follower.follow(world.commit(LOG[start : start + 4]))
        follower.close()
        assert self.agrees(settings, world)

    def test_what_a_crash_kept_from_it_is_read_from_the_tables_at_the_next_start(
        self, settings: Settings, world: World, run: Callable[[], CommitFollower]
    ) -> None:
        first = run()
        first.follow(world.commit(LOG[:8]))
        first.close()
        world.commit(LOG[8:16])  # died before it was followed

        run().close()

        assert self.agrees(settings, world)

    def test_what_another_worker_committed_and_did_not_follow_is_read_first(
        self, settings: Settings, world: World, run: Callable[[], CommitFollower]
    ) -> None:
        follower = run()
        follower.follow(world.commit(LOG[:4]))
        world.commit(LOG[4:8])
        follower.follow(world.commit(LOG[8:12]))
        follower.close()
        assert self.agrees(settings, world)

    def test_a_repeat_changes_nothing(
        self, settings: Settings, world: World, run: Callable[[], CommitFollower]
    ) -> None:
        follower = run()
        first, second = world.commit(LOG[:6]), world.commit(LOG[6:12])
        for batch in (first, first, second, first, second):
            follower.follow(batch)
            follower.finish()
        follower.close()
        assert self.agrees(settings, world)

    def test_a_lost_store_is_made_anew_from_the_tables(
        self, settings: Settings, world: World, run: Callable[[], CommitFollower]
    ) -> None:
        first = run()
        first.follow(world.commit(LOG[:12]))
        first.close()
        self.lose(settings)

        follower = run()
        follower.follow(world.commit(LOG[12:16]))
        follower.close()

        assert self.agrees(settings, world)

    @pytest.mark.parametrize("error", [LakeError("no answer"), OSError("no room"), TypeError("a mistake of ours")])
    def test_after_an_error_it_pauses_and_then_makes_up_for_every_partition(
        self,
        settings: Settings,
        world: World,
        run: Callable[[], CommitFollower],
        clock: Clock,
        monkeypatch: pytest.MonkeyPatch,
        error: Exception,
    ) -> None:
        follower = run()
        follower.follow(world.commit(LOG[:4]))
        follower.finish()
        failures = self.kind.failures._value.get()
        with monkeypatch.context() as broken:
            broken.setattr(self.kind, "follow", _raising(error))
            follower.follow(world.commit(LOG[4:8]))
            follower.finish()
        assert self.kind.failures._value.get() == failures + 1
        with monkeypatch.context() as closed:
            closed.setattr(self.kind, "open", lambda *_, **__: pytest.fail("opened anew without a pause"))
            for start in (8, 12):
                follower.follow(world.commit(LOG[start : start + 4]))
                follower.finish()
        assert not follower.is_ready

        clock.now += PAUSE_SECONDS + 0.1
        last = world.commit(LOG[16:18])
        partition = min(last.end)
        follower.follow(replace(last, start={partition: last.start[partition]}, end={partition: last.end[partition]}))
        follower.finish()

        assert self.followed(settings) == world.positions
        follower.close()
        assert self.agrees(settings, world)

    def test_a_follower_that_cannot_be_opened_stops_no_batch_and_is_opened_later(
        self,
        settings: Settings,
        world: World,
        run: Callable[[], CommitFollower],
        clock: Clock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with monkeypatch.context() as broken:
            broken.setattr(self.kind, "open", _raising(ServiceError("held by another")))
            follower = run()
            follower.follow(world.commit(LOG[:4]))
        clock.now += PAUSE_SECONDS + 0.1
        follower.settle()
        follower.finish()
        follower.follow(world.commit(LOG[4:8]))
        follower.close()
        assert self.agrees(settings, world)

    def test_batches_of_a_backlog_are_handed_over_together_but_none_waits_long(
        self,
        world: World,
        run: Callable[[], CommitFollower],
        clock: Clock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        follower = run()
        told: list[Committed] = []
        monkeypatch.setattr(self.kind, "follow", lambda _, committed: told.append(committed))
        backlog = [replace(world.commit(LOG[n : n + 2]), more=True) for n in range(0, 12, 2)]
        for batch in backlog[:3]:
            follower.follow(batch)
            follower.finish()
        assert told == []
        clock.now += LONGEST_WAIT_SECONDS
        follower.follow(backlog[3])
        follower.finish()
        assert [one.events.height for one in told] == [8]
        follower.follow(backlog[4])
        follower.follow(replace(backlog[5], more=False))
        follower.finish()
        assert [one.events.height for one in told] == [8, 4]
        assert tuple(told[0].events.columns) == self.kind.columns

    def test_as_many_events_of_a_backlog_as_it_takes_are_handed_over_at_once(
        self, world: World, run: Callable[[], CommitFollower], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        follower = run()
        told: list[int] = []
        monkeypatch.setattr(self.kind, "events_together", 6)
        monkeypatch.setattr(self.kind, "follow", lambda _, committed: told.append(committed.events.height))
        for start in range(0, 16, 4):
            follower.follow(replace(world.commit(LOG[start : start + 4]), more=True))
        follower.finish()
        assert told == [8, 8]

    def test_landing_goes_on_during_a_long_catching_up_and_what_comes_meanwhile_is_made_up_for(
        self,
        settings: Settings,
        world: World,
        run: Callable[[], CommitFollower],
        clock: Clock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(commit_follower, "CATCH_UP_SECONDS", 0.05)
        world.commit(LOG[:8])
        go_on = threading.Event()
        catch_up = self.kind.catch_up

        def slow(follower: Follower) -> None:
            catch_up(follower)
            assert go_on.wait(30)

        with monkeypatch.context() as slowed:
            slowed.setattr(self.kind, "catch_up", slow)
            follower = run()
            clock.now += CATCH_UP_SECONDS
            for start in (8, 12, 16):
                follower.follow(world.commit(LOG[start : start + 4]))
            go_on.set()
            follower.finish()
        follower.close()
        assert self.agrees(settings, world)

    @pytest.mark.parametrize("error", [LakeError("no answer"), TypeError("a mistake of ours")])
    def test_a_drain_lands_everything_and_ends_with_an_error_only_where_the_follower_says_so(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        open_intake(settings).submit(ratings(4))
        drain(settings)
        open_intake(settings).submit(ratings(10, start=4))
        with monkeypatch.context() as broken:
            broken.setattr(self.kind, "follow", _raising(error))
            broken.setattr(self.kind, "catch_up", _raising(error))
            if self.kind.fails_drain:
                with pytest.raises((LakeError, ServiceError), match=str(error)):
                    drain(settings)
            else:
                assert drain(settings).landed == 10
        assert len(landed(settings)) == 14

        drain(settings)

        found = self.state(settings)
        assert found
        assert found == self.expected(settings)


def _raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail
