"""The state of serving: the current bundle, swapped when a new one is published, and the events since it was made."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec

from feedback.errors import HeedError, ModelUnusable, NoModel
from feedback.process.backoff import Backoff
from feedback.settings.home import Settings
from feedback.subjects import IdentityKind, Pseudonyms, load_or_create_key
from models.bundle.bundle import Bundle
from models.bundle.store import BundleStore
from models.interaction_matrix import History
from online.events import OnlinePerson
from online.open import open_online_store
from online.port import OnlineStore
from serving.list_cache import ListCache, MadeFrom, MadeList, digest
from serving.lists import ItemList, ListedItem, build_list, similar_items, titles_of
from serving.notes import note_of

LOGGER = logging.getLogger("heed.serving")
WATCH_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 60.0
"""Between two tries to load a bundle that cannot be used: each of them reads and hashes the whole of it."""
MAX_FORMER_SUBJECTS = 10_000
"""Former pseudonyms that are kept in mind; a person brings theirs with every request."""
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


_ID_HEAD = b'{"decision_id":"'
_NO_ID = "0" * 32
_AFTER_ID = len(_ID_HEAD) + len(_NO_ID)
"""Offset of the part of an encoded list that is the same at every serving."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The bundle in use, swapped as one."""

    bundle: Bundle
    titles: list[str]


class Service:
    """Answers from memory; one per process."""

    def __init__(self, bundles: BundleStore, store: OnlineStore, pseudonyms: Pseudonyms) -> None:
        self._bundles = bundles
        self._store = store
        self._pseudonyms = pseudonyms
        self._loaded: _Loaded | None = None
        self._lists = ListCache()
        self._former: dict[str, str] = {}
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None
        self._backoff = Backoff(WATCH_SECONDS, LONGEST_WAIT_SECONDS)
        self._failed_version: str | None = None
        self.load_error: str | None = None
        self.swaps = 0

    def subject_of(self, raw_id: str, identity: IdentityKind = "user") -> str:
        """The subject of a raw id; one that earlier releases hashed otherwise brings its history along."""
        subject = self._pseudonyms.subject_of(raw_id, identity)
        former = self._pseudonyms.former_subject_of(raw_id, identity)
        if former is not None:
            if len(self._former) >= MAX_FORMER_SUBJECTS:
                self._former.clear()
            self._former[subject] = former
        return subject

    @property
    def bundle(self) -> Bundle:
        """The current bundle.

        Raises:
            NoModel: None was published yet, or it cannot be loaded.
        """
        return self._in_use().bundle

    def refresh(self) -> bool:
        """Load a newly published bundle, if there is one; the old one stays where that fails."""
        return self._look(time.monotonic(), at_once=True)

    def look(self, now: float) -> bool:
        """Called repeatedly: a bundle that cannot be used is tried again after growing pauses, or when the pointer
        moves.

        Args:
            now: Seconds of a clock that never goes back.
        """
        return self._look(now, at_once=False)

    def _look(self, now: float, *, at_once: bool) -> bool:
        version: str | None = None
        try:
            version = self._bundles.current_version()
            if version is None:
                return False
            if self._loaded is not None and self._loaded.bundle.version == version:
                self._settle()
                return False
            if version == self._failed_version and not at_once and not self._backoff.is_due(now):
                return False
            loaded = _warmed(self._bundles.load(version))
        except Exception as error:  # no content of a bundle may end the watcher
            self._refuse(version, error, now)
            return False
        self._loaded = loaded
        self._settle()
        self.swaps += 1
        return True

    def _settle(self) -> None:
        """The bundle that the pointer names is in use."""
        self.load_error, self._failed_version = None, None
        self._backoff.reset()

    def _refuse(self, version: str | None, error: Exception, now: float) -> None:
        """Note why the published bundle is not used; readiness says it as long as that holds."""
        if version is None:  # the pointer itself: looked at each time, for it takes no time, and told of once
            words, wait = _words_of(error), ""
            if words == self.load_error:
                return
        else:
            if version != self._failed_version:
                self._backoff.reset()
            self._failed_version = version
            words, wait = _words_of(error), f"; tried again in {self._backoff.failed(now):g} s"
        self.load_error = words
        # Our own errors are complete in their message; others are logged with a stack.
        LOGGER.error("%s%s", words, wait, exc_info=None if isinstance(error, HeedError) else error)

    def watch(self) -> None:
        """Look for new bundles in the background until closed."""
        self._watcher = threading.Thread(target=self._watch, name="bundle-watch", daemon=True)
        self._watcher.start()

    def recommend(self, subject: str, n: int) -> Served:
        """The list of one person: what the bundle knows, and what happened since."""
        return msgspec.json.decode(self.recommend_json(subject, n), type=Served)

    def recommend_json(self, subject: str, n: int) -> bytes:
        """The same as JSON: a list is encoded when it is made, each serving gives it a decision id of its own."""
        return _ID_HEAD + uuid.uuid4().hex.encode() + self._made(subject, n).body

    def similar(self, item_id: str, n: int) -> tuple[ListedItem, ...] | None:
        """Items near one; `None` where the item is unknown."""
        loaded = self._in_use()
        known = item_id in loaded.bundle.model.items
        return similar_items(loaded.bundle, loaded.titles, item_id, n) if known else None

    def watcher_problem(self) -> str | None:
        """Why new bundles would not be noticed, or `None`."""
        if self._watcher is None or self._watcher.is_alive() or self._stop.is_set():
            return None
        return "new bundles are no longer looked for: start the server again"

    def online_ready(self) -> bool:
        """Whether the online store answers."""
        return self._store.stamp() >= 0

    def close(self) -> None:
        """End the watcher and release the store."""
        self._stop.set()
        if self._watcher is not None:
            self._watcher.join(timeout=5)
        self._store.close()

    def _in_use(self) -> _Loaded:
        if self._loaded is None:
            raise ModelUnusable(self.load_error) if self.load_error else NoModel(NO_MODEL)
        return self._loaded

    def _made(self, subject: str, n: int) -> MadeList:
        """A person's list, made again only where what it depends on has changed."""
        loaded = self._in_use()
        bundle = loaded.bundle
        # read before the events: whatever is pushed in between changes the stamp and is looked at next time
        stamp = self._store.stamp()
        former = self._former.get(subject)
        cached_as = subject if former is None else f"{subject} {former}"
        kept = self._lists.get(cached_as, n)
        if kept is not None and kept.stamp == stamp and kept.made_from.bundle == bundle.version:
            return kept
        subjects, personal, crowd = self._person(subject, former)
        events = self._store.recent_of(subjects, after=bundle.manifest.positions) if personal else []
        places = digest((e.log_partition, e.log_offset, e.log_index) for e in events)
        made_from = MadeFrom(bundle.version, personal, tuple(subjects), places, crowd)
        if kept is not None and kept.made_from == made_from:
            made = replace(kept, stamp=stamp)
        else:
            history = _history(bundle, subjects).after(events) if personal else History()
            found = build_list(bundle, loaded.titles, history, n)
            served = _served(bundle, found, note=note_of(found, bundle, personal=personal, crowd=crowd))
            made = MadeList(made_from, stamp, msgspec.json.encode(served)[_AFTER_ID:])
        self._lists.put(cached_as, n, made)
        return made

    def _person(self, subject: str, former: str | None) -> OnlinePerson:
        """What is known of one person; the subject asked for is the first of theirs."""
        people = [self._store.person(who) for who in (subject, former) if who is not None]
        subjects = dict.fromkeys([subject, *(who for person in people for who in person.subjects)])
        return OnlinePerson(
            list(subjects),
            is_personal=all(person.is_personal for person in people),
            is_crowd=any(person.is_crowd for person in people),
        )

    def _watch(self) -> None:
        while not self._stop.wait(WATCH_SECONDS):
            self.look(time.monotonic())


def _words_of(error: Exception) -> str:
    """An error in words that may be sent over HTTP."""
    known = (
        str(error) if isinstance(error, HeedError) else f"{type(error).__name__}, of which the server's log says more"
    )
    return f"the published bundle cannot be used: {known}"


def _warmed(bundle: Bundle) -> _Loaded:
    """Make a first list with the bundle, so that no request waits for what it derives once."""
    loaded = _Loaded(bundle, titles_of(bundle))
    if len(bundle.histories):
        build_list(bundle, loaded.titles, bundle.histories.history(0, bundle.model.items), 1)
    return loaded


def _history(bundle: Bundle, subjects: Sequence[str]) -> History:
    """What the bundle knows of a person: one that was made before two subjects were linked knows each by itself."""
    own, *others = map(bundle.history_of, subjects)
    return own.with_linked(others)


def _served(bundle: Bundle, found: ItemList, *, note: str) -> Served:
    return Served(
        decision_id=_NO_ID,
        model_version=bundle.version,
        delta_versions=bundle.manifest.delta_versions,
        source=found.source,
        note=note,
        known_items=found.known_items,
        items=found.items,
    )


def open_service(settings: Settings, *, watch: bool = True, store: Callable[[], OnlineStore] | None = None) -> Service:
    """The service of a home, with its current bundle loaded where there is one."""
    pseudonyms = Pseudonyms(load_or_create_key(settings.paths.subject_key_file))
    service = Service(
        BundleStore(settings.paths.bundles), store() if store else open_online_store(settings.online), pseudonyms
    )
    service.refresh()
    if watch:
        service.watch()
    return service
