"""What every `OnlineBackend` must do; an implementation's tests inherit it and give `backend`."""

from __future__ import annotations

import polars as pl

from feedback.consent import Standing
from feedback.links import Link
from online.backend import Basis, Changes, OnlineBackend
from online.events import EncodedEvents, decoded, encoded
from online.statements import Owner

FRESH = Basis({}, owes_consents=False)


def encoded_events(*given: tuple[str, int, str], partition: int = 0) -> EncodedEvents:
    """Views: whose, offset, item."""
    subjects, offsets, items = zip(*given, strict=True)
    frame = pl.DataFrame(
        {"subject": subjects, "log_partition": partition, "log_offset": offsets, "log_index": 0, "kind": "view"}
        | {"item_id": items, "occurred_at": offsets},
    )
    nulls = [pl.lit(None, pl.Float64).alias(name) for name in ("value", "scale_min", "scale_max")]
    return encoded(frame.with_columns(*nulls, label=pl.lit(None, pl.String)))


def items_of(backend: OnlineBackend, *subjects: str, at_most: int = 100) -> list[str]:
    events = decoded(backend.events_of(subjects, at_most=at_most))
    return [event.item_id for event in sorted(events, key=lambda event: (event.log_partition, event.log_offset))]


def add(backend: OnlineBackend, *given: tuple[str, int, str], partition: int = 0) -> None:
    """Add events as one push, from where the store stands to behind the last of them."""
    start, end = backend.positions().get(partition, 0), given[-1][1] + 1
    events = encoded_events(*given, partition=partition)
    basis = Basis({partition: start}, owes_consents=backend.owes_consents())
    assert backend.apply(Changes(positions={partition: end}, events=events), basis=basis)
    backend.tidy()


class OnlineBackendConformance:
    def test_a_new_one_knows_nothing(self, backend: OnlineBackend) -> None:
        assert backend.positions() == {}
        assert backend.events_of(["a"], at_most=5) == []
        assert backend.links() == []
        assert backend.standings_of(["a"]) == []
        assert not backend.owes_consents()
        assert backend.trim(before={0: 10}) == 0

    def test_events_come_back_by_subject(self, backend: OnlineBackend) -> None:
        add(backend, ("a" * 32, 0, "x"), ("b" * 32, 1, "y"), ("a" * 31 + "b", 2, "z"))
        add(backend, ("a" * 32, 3, "w"))

        assert items_of(backend, "a" * 32) == ["x", "w"]
        assert items_of(backend, "b" * 32, "a" * 31 + "b") == ["y", "z"]
        assert items_of(backend, "a" * 4) == []

    def test_a_subject_may_be_any_text(self, backend: OnlineBackend) -> None:
        odd = ['a"b', "a\tb", "a\nb", "ü😀", "+123", "12", "AFFE", "", "a\\"]
        add(backend, *((subject, at, f"i{at}") for at, subject in enumerate(odd)))

        assert [items_of(backend, subject) for subject in odd] == [[f"i{at}"] for at in range(len(odd))]

    def test_the_last_events_are_among_those_of_a_bounded_read(self, backend: OnlineBackend) -> None:
        for at in range(30):
            add(backend, ("a" * 32, at, f"i{at}"))

        assert items_of(backend, "a" * 32, at_most=3)[-3:] == ["i27", "i28", "i29"]
        assert len(items_of(backend, "a" * 32)) == 30

    def test_a_change_on_a_basis_that_moved_is_refused_as_a_whole(self, backend: OnlineBackend) -> None:
        add(backend, ("a", 0, "x"))
        late = Changes(
            positions={0: 2}, events=encoded_events(("a", 1, "y")), links=[Link("a", "v", 1)],
            standings={Owner("a", 0): Standing((1, 0), 5, None)},
        )  # fmt: skip

        assert not backend.apply(late, basis=Basis({0: 0}, owes_consents=False))
        assert not backend.apply(late, basis=Basis({0: 1}, owes_consents=True))

        assert (backend.positions(), items_of(backend, "a"), backend.links()) == ({0: 1}, ["x"], [])
        assert backend.standings_of(["a"]) == []
        assert backend.apply(late, basis=Basis({0: 1}, owes_consents=False))
        assert items_of(backend, "a") == ["x", "y"]

    def test_partitions_are_written_independently_and_never_move_back(self, backend: OnlineBackend) -> None:
        add(backend, ("a", 4, "x"))
        add(backend, ("a", 7, "y"), partition=1)
        backend.apply(Changes(positions={1: 2}), basis=Basis({1: 8}, owes_consents=False))

        assert backend.positions() == {0: 5, 1: 8}

    def test_links_are_kept_once_with_their_earliest_time(self, backend: OnlineBackend) -> None:
        for links in (
            [Link("a", "v", 5), Link("b", "v", 4)],
            [Link("a", "v", 3), Link("a", "w", 1)],
            [Link("a", "v", 9)],
        ):
            assert backend.apply(Changes(links=links), basis=FRESH)

        assert sorted(backend.links()) == [("a", "v", 3), ("a", "w", 1), ("b", "v", 4)]
        assert backend.claimants_of("v", at_most=5) == ["a", "b"]
        assert backend.claimants_of("v", at_most=1) == ["a"]
        assert sorted(backend.visits_of("a", at_most=2)) == ["v", "w"]
        assert len(backend.visits_of("a", at_most=1)) == 1
        assert backend.visits_of("stranger", at_most=1) == backend.claimants_of("stranger", at_most=1) == []

    def test_a_claim_to_itself_is_none_and_equal_times_go_by_subject(self, backend: OnlineBackend) -> None:
        assert backend.apply(Changes(links=[Link("v", "v", 0), Link("b", "v", 1), Link("a", "v", 1)]), basis=FRESH)

        assert backend.claimants_of("v", at_most=2) == ["a", "b"]
        assert backend.visits_of("v", at_most=2) == []

    def test_standings_are_overwritten_and_forgotten_by_owner(self, backend: OnlineBackend) -> None:
        first, second = Standing((1, 0), 5, None), Standing((2, 1), None, 7)
        backend.apply(Changes(standings={Owner("a", 0): first, Owner("a", 1): first}), basis=FRESH)
        backend.apply(Changes(standings={Owner("a", 0): second}, forgotten=[Owner("a", 1)]), basis=FRESH)

        assert backend.standings([Owner("a", 0), Owner("a", 1)]) == {Owner("a", 0): second}
        assert backend.standings_of(["a", "b"]) == [second]

    def test_trimming_keeps_what_is_not_below_and_all_links_and_consent(self, backend: OnlineBackend) -> None:
        held = Standing((0, 0), 5, None)
        backend.apply(Changes(standings={Owner("a", 0): held}, links=[Link("a", "v", 1)]), basis=FRESH)
        add(backend, ("a", 0, "x"), ("b", 1, "y"), ("a", 2, "z"))
        add(backend, ("a", 0, "other"), partition=1)

        assert backend.trim(before={0: 2}) == 2

        assert items_of(backend, "a", "b") == ["z", "other"]
        assert backend.trim(before={0: 3, 1: 1}) == 2
        assert items_of(backend, "a", "b") == []
        assert (backend.links(), backend.standings_of(["a"])) == ([Link("a", "v", 1)], [held])
        assert backend.positions() == {0: 3, 1: 1}

    def test_the_stamp_changes_with_a_push(self, backend: OnlineBackend) -> None:
        before = backend.stamp()
        assert backend.stamp() == before

        add(backend, ("a", 0, "x"))

        assert backend.stamp() != before
