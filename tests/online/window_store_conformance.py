"""What every `WindowStore` must do; an implementation's tests inherit it and give `store`."""

from __future__ import annotations

from typing import Any

import polars as pl

from lakehouse.sketches import added, opened, stored
from lakehouse.window_rows import KEY, ROW_SCHEMA, TALLIES, Mark
from online.windows import WindowStore


def window_rows(*given: dict[str, Any]) -> pl.DataFrame:
    """Rows complete by the schema: a 10 s window of `all` from 0 in partition 0, where nothing else is given."""
    plain = {"size_seconds": 10, "start": 0, "scope": "all", "key": "", "log_partition": 0, "final": False}
    empty = {**plain, "people": stored(opened(None)), **dict.fromkeys(TALLIES, 0)}
    return pl.DataFrame([{**empty, **row} for row in given], schema=ROW_SCHEMA, orient="row")


def same(left: pl.DataFrame, right: pl.DataFrame) -> bool:
    return left.sort(KEY).equals(right.sort(KEY))


class WindowStoreConformance:
    def test_a_new_store_knows_nothing(self, store: WindowStore) -> None:
        assert store.marks() == {}
        assert store.get(window_rows({}).select(KEY)).is_empty()
        assert store.newest(10, "all", windows=5).is_empty()

    def test_rows_come_back_as_they_went_in(self, store: WindowStore) -> None:
        people = stored(added(opened(None), [1, 2, 3]))
        given = window_rows(
            {"events": 7, "n_view": 7, "rating_millionths": 10**12, "people": people},
            {"scope": "item", "key": 'an "odd" {key} ü', "final": True},
            {"start": -10, "log_partition": 1},
        )

        assert store.put(given, {0: Mark(1, 5), 1: Mark(1, 9)}, expected={0: 0, 1: 0})

        assert same(store.get(given.select(KEY)), given)
        assert store.marks() == {0: Mark(1, 5), 1: Mark(1, 9)}

    def test_get_gives_only_the_keys_that_were_asked_for(self, store: WindowStore) -> None:
        store.put(window_rows({}, {"start": 10}, {"key": "x", "scope": "item"}), {0: Mark(1, 1)}, expected={0: 0})

        assert store.get(window_rows({"start": 10}, {"start": 20}).select(KEY))["start"].to_list() == [10]

    def test_a_later_put_overwrites_what_it_names_and_leaves_the_rest(self, store: WindowStore) -> None:
        store.put(window_rows({"events": 1}, {"start": 10, "events": 1}), {0: Mark(1, 1)}, expected={0: 0})

        assert store.put(window_rows({"events": 2}), {0: Mark(2, 4)}, expected={0: 1})

        found = store.newest(10, "all", windows=5).sort("start")
        assert found["events"].to_list() == [2, 1]
        assert store.marks() == {0: Mark(2, 4)}

    def test_a_writer_that_was_overtaken_in_one_partition_changes_nothing_in_any(self, store: WindowStore) -> None:
        store.put(window_rows({"events": 1}), {0: Mark(1, 1), 1: Mark(1, 1)}, expected={0: 0, 1: 0})
        store.put(window_rows({"events": 5}), {0: Mark(2, 5)}, expected={0: 1})
        stale = window_rows({"events": 3}, {"log_partition": 1, "events": 3})

        assert not store.put(stale, {0: Mark(2, 3), 1: Mark(2, 3)}, expected={0: 1, 1: 1})

        assert store.newest(10, "all", windows=5)["events"].to_list() == [5]
        assert store.marks() == {0: Mark(2, 5), 1: Mark(1, 1)}

    def test_a_first_put_is_refused_where_a_mark_is(self, store: WindowStore) -> None:
        store.put(window_rows(), {0: Mark(1, 1)}, expected={0: 0})

        assert not store.put(window_rows(), {0: Mark(1, 0)}, expected={0: 0})

    def test_unfinished_gives_open_rows_of_one_partition_length_and_range(self, store: WindowStore) -> None:
        given = window_rows(
            {"start": 0}, {"start": 10}, {"start": 10, "scope": "item", "key": "a"}, {"start": 20},
            {"start": 10, "log_partition": 1}, {"start": 10, "size_seconds": 60},
            {"start": 10, "key": "f", "final": True},
        )  # fmt: skip
        store.put(given, {0: Mark(1, 1), 1: Mark(1, 1)}, expected={0: 0, 1: 0})

        found = store.unfinished(0, 10, start=10, end=20)

        assert sorted(found.select("scope", "key").rows()) == [("all", ""), ("item", "a")]

    def test_starts_are_those_of_one_partition_length_and_range(self, store: WindowStore) -> None:
        given = window_rows(
            {"start": 30}, {"start": 10}, {"start": 10, "scope": "item", "key": "a"}, {"start": 20, "final": True},
            {"start": 0, "log_partition": 1}, {"start": 0, "size_seconds": 60}, {"start": 0},
        )  # fmt: skip
        store.put(given, {0: Mark(1, 1), 1: Mark(1, 1)}, expected={0: 0, 1: 0})

        assert store.starts(0, 10, start=10, end=30) == [10, 20]

    def test_forget_drops_old_windows_of_one_partition_and_length(self, store: WindowStore) -> None:
        given = window_rows(
            {"start": 0}, {"start": 0, "scope": "section", "key": "s"}, {"start": 10},
            {"start": 0, "log_partition": 1}, {"start": 0, "size_seconds": 60},
        )  # fmt: skip
        store.put(given, {0: Mark(1, 1), 1: Mark(1, 1)}, expected={0: 0, 1: 0})

        store.forget(0, 10, before=10)

        assert same(store.get(given.select(KEY)), given[2:])

    def test_many_puts_and_the_last_one_leave_the_newest_row_of_each_key(self, store: WindowStore) -> None:
        item = {"scope": "item"}
        for pane in range(1, 30):
            rows = window_rows({**item, "key": f"k{pane % 7}", "events": pane}, {**item, "key": "all", "events": pane})
            assert store.put(rows, {0: Mark(pane, pane)}, expected={0: pane - 1})

        last = window_rows({**item, "key": "all", "events": 99, "final": True})
        assert store.put(last, {0: Mark(30, 30)}, expected={0: 29})

        found = dict(store.newest(10, "item", windows=1).select("key", "events").rows())
        assert found == {"all": 99, **{f"k{pane % 7}": pane for pane in range(22, 29)}, "k1": 29}

    def test_newest_counts_windows_not_rows(self, store: WindowStore) -> None:
        given = window_rows(*({"start": 10 * n, "log_partition": p} for n in range(5) for p in range(2)))
        store.put(given, {0: Mark(1, 1), 1: Mark(1, 1)}, expected={0: 0, 1: 0})

        found = store.newest(10, "all", windows=2)

        assert sorted(found.select("start", "log_partition").rows()) == [(30, 0), (30, 1), (40, 0), (40, 1)]

    def test_newest_of_a_key_are_the_windows_that_have_it(self, store: WindowStore) -> None:
        item = {"scope": "item"}
        given = window_rows({**item, "start": 0, "key": "a"}, *({**item, "start": s, "key": "b"} for s in (10, 20)))
        store.put(given, {0: Mark(1, 1)}, expected={0: 0})

        assert store.newest(10, "item", key="a", windows=1)["start"].to_list() == [0]
        assert store.newest(10, "item", windows=1)["start"].to_list() == [20]
