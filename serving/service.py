"""Serving's state: the current bundle, swapped when a new one is published, and what happened since it was made."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from feedback.errors import HeedError, NoModel
from feedback.settings import Settings
from feedback.subjects import IdentityKind, Pseudonyms, load_or_create_key
from lakehouse.online import OnlineStore, RecentEvent, open_online_store
from models.bundle import Bundle
from models.bundle_store import BundleStore
from models.histories import History
from serving.lists import ItemList, ListedItem, build_list, similar_items, titles_of

LOGGER = logging.getLogger("heed.serving")
WATCH_SECONDS = 0.25
CACHED_LISTS = 20_000
NO_MODEL = "no model has been published yet; `heed run` lands what was ingested, learns from it and publishes one"


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """A served list and what it traces back to."""

    decision_id: str
    model_version: str
    delta_versions: dict[str, int]
    source: str
    note: str
    known_items: int
    items: tuple[ListedItem, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """What a list depends on: the same known gives the same list."""

    subject: str
    version: str
    events: tuple[tuple[int, int, int], ...]
    n: int


class Service:
    """Answers from memory; one per process."""

    def __init__(self, bundles: BundleStore, store: OnlineStore, pseudonyms: Pseudonyms) -> None:
        self._bundles = bundles
        self._store = store
        self._pseudonyms = pseudonyms
        self._bundle: Bundle | None = None
        self._titles: list[str] = []
        self._lists: OrderedDict[_Known, ItemList] = OrderedDict()
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None
        self.load_error: str | None = None
        self.swaps = 0

    def subject_of(self, raw_id: str, identity: IdentityKind = "user") -> str:
        """The subject of a raw id."""
        return self._pseudonyms.subject_of(raw_id, identity)

    @property
    def bundle(self) -> Bundle:
        """The current bundle.

        Raises:
            NoModel: None was published yet.
        """
        if self._bundle is None:
            raise NoModel(self.load_error or NO_MODEL)
        return self._bundle

    def refresh(self) -> bool:
        """Take over a newly published bundle, if there is one; the old one serves on where that fails."""
        try:
            version = self._bundles.current_version()
            if version is None or (self._bundle is not None and self._bundle.version == version):
                return False
            fresh = self._bundles.load(version)
        except HeedError as error:
            if self.load_error != str(error):
                LOGGER.error("the published bundle cannot be used: %s", error)  # noqa: TRY400 - the message is enough
            self.load_error = str(error)
            return False
        self._titles = titles_of(fresh)
        self._bundle, self.load_error = fresh, None
        self._lists.clear()
        self.swaps += 1
        return True

    def watch(self) -> None:
        """Look for new bundles in the background until closed."""
        self._watcher = threading.Thread(target=self._watch, name="bundle-watch", daemon=True)
        self._watcher.start()

    def recommend(self, subject: str, n: int) -> Served:
        """The list of one person: what the bundle knows, and what happened since."""
        bundle = self.bundle
        personal = self._store.personal(subject)
        events = self._events_since(bundle, subject) if personal else []
        places = tuple((e.log_partition, e.log_offset, e.log_index) for e in events) if personal else ((-1, -1, -1),)
        known = _Known(subject, bundle.version, places, n)
        found = self._lists.get(known)
        if found is None:
            history = bundle.history_of(subject).after(events) if personal else History()
            found = build_list(bundle, self._titles, history, n)
            self._lists[known] = found
            if len(self._lists) > CACHED_LISTS:
                self._lists.popitem(last=False)
        return self._served(bundle, found, personal=personal)

    def similar(self, item_id: str, n: int) -> tuple[ListedItem, ...] | None:
        """Items near one; `None` where the item is unknown."""
        bundle = self.bundle
        return similar_items(bundle, self._titles, item_id, n) if item_id in bundle.model.items else None

    def online_ready(self) -> bool:
        """Whether the online store answers."""
        return self._store.stamp() >= 0

    def close(self) -> None:
        """End the watcher and release the store."""
        self._stop.set()
        if self._watcher is not None:
            self._watcher.join(timeout=5)
        self._store.close()

    def _events_since(self, bundle: Bundle, subject: str) -> list[RecentEvent]:
        return self._store.recent(subject, after=bundle.manifest.positions)

    def _served(self, bundle: Bundle, found: ItemList, *, personal: bool) -> Served:
        notes = {
            "popular": "nothing is known of this person yet: what is popular",
            "blend": "little is known of this person yet: their taste, mixed with what is popular",
            "personal": "chosen by this person's own feedback",
        }
        note = notes[found.source] if personal else "this person withdrew personalization: what is popular"
        return Served(
            decision_id=uuid.uuid4().hex,
            model_version=bundle.version,
            delta_versions=bundle.manifest.delta_versions,
            source=found.source,
            note=note,
            known_items=found.known_items,
            items=found.items,
        )

    def _watch(self) -> None:
        while not self._stop.wait(WATCH_SECONDS):
            self.refresh()


def open_service(settings: Settings, *, watch: bool = True, store: Callable[[], OnlineStore] | None = None) -> Service:
    """The service of a home, with its current bundle loaded where there is one."""
    pseudonyms = Pseudonyms(load_or_create_key(settings.subject_key_file))
    service = Service(BundleStore(settings.bundles), store() if store else open_online_store(settings), pseudonyms)
    service.refresh()
    if watch:
        service.watch()
    return service
