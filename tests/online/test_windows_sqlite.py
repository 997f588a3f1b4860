from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback.errors import ServiceError, SettingsError, UsageError
from feedback.settings.home import load_settings
from lakehouse.window_rows import Mark, scope_named, size_named
from online.open import open_window_store
from online.sqlite.windows import SqliteWindowStore
from online.windows import WindowStore
from tests.online.window_store_conformance import WindowStoreConformance, window_rows


class TestSqliteWindowStore(WindowStoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[WindowStore]:
        store = SqliteWindowStore(tmp_path / "online.db")
        yield store
        store.close()


def test_another_process_sees_what_was_put(tmp_path: Path) -> None:
    first, second = SqliteWindowStore(tmp_path / "online.db"), SqliteWindowStore(tmp_path / "online.db")

    first.put(window_rows({"events": 3}), {0: Mark(1, 3)}, expected={0: 0})

    assert second.newest(10, "all", windows=1)["events"].to_list() == [3]
    assert not second.put(window_rows({"events": 9}), {0: Mark(1, 2)}, expected={0: 0})


def test_it_shares_the_file_of_the_online_store(tmp_path: Path) -> None:
    from online.open import open_online_store

    settings = load_settings(tmp_path)
    open_online_store(settings.online).close()
    store = open_window_store(settings.online)

    store.put(window_rows({}), {0: Mark(1, 1)}, expected={0: 0})

    assert open_online_store(settings.online).positions() == {}
    assert open_window_store(settings.online).marks() == {0: Mark(1, 1)}


def test_an_unknown_address_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="memcached") as told:
        open_window_store(load_settings(tmp_path, online_url="memcached://me:hunter2@x").online)
    assert "hunter2" not in str(told.value)
    with pytest.raises(SettingsError, match="online_url is no address"):
        open_window_store(load_settings(tmp_path, online_url="/a/path").online)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="cannot be opened"):
        SqliteWindowStore(tmp_path)


def test_unknown_lengths_and_scopes_are_refused_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match="10s, 1m, 1h"):
        size_named("5m")
    with pytest.raises(UsageError, match="item, section, all"):
        scope_named("user")
    assert (size_named("1m"), scope_named("item")) == (60, "item")
