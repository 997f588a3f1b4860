"""The pointer's history is a stack, and a rollback holds until it is released."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from models.bundle.pointer import Hold, Pointer, existing, published, released, rolled_back

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_going_back_twice_then_forward_then_back_skips_nothing() -> None:
    pointer = Pointer("v4", ["v1", "v2", "v3"])

    back = rolled_back(rolled_back(pointer, "v3", at=NOON), "v2", at=NOON)
    forward = rolled_back(back, "v3", at=NOON)

    assert (back.version, back.before) == ("v2", ["v1"])
    assert (forward.version, forward.before) == ("v3", ["v1", "v2"])


def test_what_was_rolled_back_from_is_not_gone_back_to_after_the_next_publication() -> None:
    back = rolled_back(Pointer("bad", ["v1", "v2"]), "v2", at=NOON)

    fresh = published(released(back), "v4")

    assert fresh == Pointer("v4", ["v1", "v2"])


def test_a_rollback_holds_and_says_since_when_and_how_it_ends() -> None:
    back = rolled_back(Pointer("v2", ["v1"]), "v1", at=NOON)

    assert back.hold == Hold(NOON, "v2")
    assert back.hold.reason == (
        "judged, not published: a rollback from v2 holds since 2026-03-01 12:00 UTC; "
        "`heed rollback --release` lets the next run publish again"
    )
    assert released(back) == Pointer("v1", [])


def test_what_serves_can_be_held_where_it_is() -> None:
    held = rolled_back(Pointer("v2", ["v1"]), "v2", at=NOON)

    assert held == Pointer("v2", ["v1"], Hold(NOON, "v2"))
    assert rolled_back(held, "v2", at=datetime(2027, 1, 1, tzinfo=UTC)) == held


def test_a_version_can_be_served_where_the_pointer_was_lost() -> None:
    assert rolled_back(None, "v1", at=NOON) == Pointer("v1", [], Hold(NOON, "v1"))


def test_versions_that_are_no_longer_on_disk_are_forgotten() -> None:
    assert existing(Pointer("v4", ["v1", "v2", "v3"]), {"v2", "v4"}) == Pointer("v4", ["v2"])


def test_pointers_of_earlier_releases_are_read_and_earlier_releases_read_these() -> None:
    class Earlier(msgspec.Struct, frozen=True):
        version: str
        before: list[str] = []

    old = msgspec.json.decode(b'{"version":"v2","before":["v1"]}', type=Pointer)
    new = msgspec.json.encode(rolled_back(Pointer("v3", ["v1", "v2"]), "v2", at=NOON))

    assert old == Pointer("v2", ["v1"])
    assert msgspec.json.decode(new, type=Earlier) == Earlier("v2", ["v1"])
