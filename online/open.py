"""Open the online store that the settings name, each part behind its port."""

from __future__ import annotations

from feedback.errors import SettingsError
from feedback.settings.stores import OnlineSettings
from online.port import OnlineStore
from online.windows import WindowStore


def open_online_store(settings: OnlineSettings) -> OnlineStore:
    """Recent events, consent and links; made on first use.

    Raises:
        SettingsError: The address names no known kind of store.
        ServiceError: It cannot be opened.
    """
    from online.sqlite.store import SqliteOnlineStore

    return SqliteOnlineStore(_sqlite_file(settings))


def open_window_store(settings: OnlineSettings) -> WindowStore:
    """Live windows; made on first use.

    Raises:
        SettingsError: The address names no known kind of store.
        ServiceError: It cannot be opened.
    """
    from online.sqlite.windows import SqliteWindowStore

    return SqliteWindowStore(_sqlite_file(settings))


def _sqlite_file(settings: OnlineSettings) -> str:
    """The file of a SQLite store, the only kind there is."""
    scheme, colon, rest = settings.url.partition("://")
    if not colon:
        raise SettingsError("online_url is no address; use sqlite:///path")
    if scheme != "sqlite":  # the rest of the address may hold a password
        raise SettingsError(f"online_url: unknown scheme {scheme!r}; use sqlite:///path")
    return rest
