"""Propose a column map from the names and values of a file's columns, with reasons and doubts."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from feedback.contract import KINDS
from gateway.files.columns import ImportPlan
from gateway.files.kinds import kind_of_word
from gateway.files.profiles import Profile
from gateway.files.rows import FIELDS, SCALED
from gateway.files.usual_names import FILE_WORDS, USUAL_NAMES, asks_to_recommend, plain_name

SCALES = ((0.5, 5.0), (1.0, 5.0), (0.0, 5.0), (1.0, 7.0), (1.0, 10.0), (0.0, 10.0), (-10.0, 10.0), (0.0, 100.0))
A_PERSON = "a person (like userId or customer_id)"
AN_ITEM = "an item (like movieId, asin or product_id)"
JOIN = "another file may tell person or item: join the two by order_id"
_CONTEXT = ("country", "region", "device", "session_id")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan that would work, or what is missing for one.

    Attributes:
        plan: Ready for `import_file`, as far as the columns allow; without a map where columns are named like fields.
        doubts: What the file does not say and the proposal had to assume.
        missing: What no column holds, without which nothing can be imported.
    """

    plan: ImportPlan
    doubts: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def propose(profiles: Mapping[str, Profile], *, path: Path, given: ImportPlan) -> Proposal:
    """A map for the columns of a file; what the given plan says already is kept."""
    return _Proposer(profiles, path, given).proposal()


class _Proposer:
    def __init__(self, profiles: Mapping[str, Profile], path: Path, given: ImportPlan) -> None:
        self._profiles = profiles
        self._path = path
        self._given = given
        self._by_name = {plain_name(name): profile for name, profile in reversed(list(profiles.items()))}
        self._found = {name: column for name, column in given.columns.items() if column in profiles}
        self._doubts = [
            f"there is no column {column!r} (for {name})"
            for name, column in given.columns.items()
            if column not in profiles
        ]
        self._form: str | None = given.time_form
        self._constants: dict[str, str] = dict(given.constants)

    def proposal(self) -> Proposal:
        self._people_and_items()
        if self._given.kind is None:
            self._take("kind", _names_kinds)
        self._value()
        self._time()
        for name in ("text", "title", "categories", "tags", "description", "price", "currency", "quantity"):
            self._take(name, _is_text_of if name == "text" else None)
        for name in ("available", "url", "image_url", "released_at", "order_id", *_CONTEXT):
            self._take(name)
        self._take("id", lambda profile: not profile.doubled)
        kind, missing = self._kind()
        columns = self._columns_for(kind)
        alike = not self._given.columns and all(name == column for name, column in columns.items())
        plan = ImportPlan(
            kind=kind,
            columns={} if alike else columns,
            scale=self._given.scale or self._scale(kind, columns),
            constants=self._constants,
            list_separator=self._list_separator(columns),
            source=self._given.source,
            separator=self._given.separator,
            names=self._given.names,
            kinds=self._given.kinds,
            time_form=self._form,
            keep_null_words=self._given.keep_null_words,
        )
        return Proposal(plan, self._doubts, missing)

    def _take(self, name: str, accept: object = None) -> None:
        """Take the first column with a usual name of the field, if its cells fit."""
        if name in self._found:
            return
        used = set(self._found.values())
        for usual in (plain_name(name), *USUAL_NAMES.get(name, ())):
            profile = self._by_name.get(usual)
            if profile is None or profile.name in used or not profile.filled:
                continue
            if not callable(accept) or accept(profile):
                self._found[name] = profile.name
                return

    def _people_and_items(self) -> None:
        for name in ("user_id", "item_id"):
            self._take(name, lambda profile: not profile.lists)
        if "user_id" not in self._found:
            self._take("anonymous_id")
        for name, words in (
            ("user_id", ("user", "customer", "reviewer", "person", "member")),
            ("item_id", ("item", "product", "movie", "film", "book", "article", "content", "song", "track", "video")),
        ):
            if name in self._found or (name == "user_id" and "anonymous_id" in self._found):
                continue
            for plain, profile in self._by_name.items():
                fits = plain.endswith("id") and any(word in plain for word in words) and "order" not in plain
                if fits and profile.name not in self._found.values():
                    self._found[name] = profile.name
                    break

    def _value(self) -> None:
        for name, profile in self._profiles.items():
            if "value" not in self._found and asks_to_recommend(name) and profile.is_number:
                self._found["value"] = name
                self._constants.setdefault("metric", "nps")
        self._take("value", lambda profile: profile.is_number)

    def _time(self) -> None:
        self._take("occurred_at", lambda profile: profile.is_time(self._form))
        if "occurred_at" in self._found or self._form is not None:
            return
        self._take("occurred_at", lambda profile: bool(profile.time_forms()))
        if "occurred_at" not in self._found:
            return
        forms = self._profiles[self._found["occurred_at"]].time_forms()
        self._form = forms[0]
        if len(forms) > 1:
            self._doubts.append(f"times may be written as {' or '.join(forms)}: {forms[0]} is assumed")

    def _kind(self) -> tuple[str | None, list[str]]:
        """The kind of every row, and what no column holds for it."""
        people, about = {"user_id", "anonymous_id"} & self._found.keys(), "item_id" in self._found
        if self._given.kind is not None:
            return self._given.kind, self._missing_for(self._given.kind)
        if "kind" in self._found:
            return None, [] if people else [A_PERSON]
        if self._constants.get("metric") and people:
            return "survey", []
        if about and people:
            return self._what_people_did(), []
        if about:
            return self._catalogue()
        if "order_id" in self._found:
            self._doubts.append(JOIN)
        return None, [*([] if people else [A_PERSON]), AN_ITEM]

    def _what_people_did(self) -> str:
        if "value" in self._found:
            return "review" if "text" in self._found else "rating"
        if "text" in self._found:
            return "review"
        if self._found.keys() & {"price", "quantity", "order_id"}:
            return "purchase"
        name = self._path.name.lower()
        kind = next((kind for word, kind in FILE_WORDS.items() if word in name), None)
        if kind is None:
            self._doubts.append(
                "no column says what people did with the items: a click is assumed; say --kind purchase, view, "
                "bookmark … where it was something else"
            )
            return "click"
        if kind == "reaction":
            self._constants.setdefault("reaction", "like")
        return kind

    def _catalogue(self) -> tuple[str | None, list[str]]:
        if "title" in self._found:
            return "item", []
        if "order_id" in self._found:
            self._doubts.append(JOIN)
            return None, [A_PERSON]
        if self._found.keys() & {"value", "text", "occurred_at"}:
            return None, [A_PERSON]
        if not self._found.keys() & {"categories", "tags", "description", "price", "available"}:
            return None, ["a title or a person"]
        self._found["title"] = self._found["item_id"]
        self._doubts.append("no column is a title: the item's id is taken for one")
        return "item", []

    def _missing_for(self, kind: str) -> list[str]:
        struct = KINDS[kind]
        needs = {field.name for field in msgspec.structs.fields(struct) if field.required}
        nobody = struct.needs_subject and not {"user_id", "anonymous_id"} & self._found.keys()
        return [*([A_PERSON] if nobody else []), *([AN_ITEM] if "item_id" in needs - self._found.keys() else [])]

    def _columns_for(self, kind: str | None) -> dict[str, str]:
        """Of what was found, the fields that the kind has; for rows of several kinds those that any of them has."""
        if kind is None:
            keep = {"user_id", "anonymous_id", "item_id", "kind", "value", "occurred_at", "text", "price", "currency",
                    "quantity", "order_id", "id", *_CONTEXT}  # fmt: skip
        else:
            keep = set(FIELDS.get(kind, frozenset())) | set(_CONTEXT)
        if kind not in ("review", "rating", None) and kind not in SCALED:
            keep -= {"value"} if kind != "survey" else set()
        if kind == "item":
            keep -= {"user_id", "anonymous_id", "occurred_at", "id", *_CONTEXT}
        if kind == "rating":
            keep -= {"text"}
        return {name: column for name, column in self._found.items() if name in keep or name in self._given.columns}

    def _scale(self, kind: str | None, columns: Mapping[str, str]) -> tuple[float, float] | None:
        if (
            "value" not in columns
            or (kind is not None and kind not in SCALED)
            or self._constants.get("metric") == "nps"
        ):
            return None
        if kind is None and "scale" in self._profiles:
            return None
        profile = self._profiles[columns["value"]]
        if profile.high <= profile.low:
            self._doubts.append("all values are equal: the scale 1 to 5 is assumed")
        for low, high in SCALES:
            halves = low == 0.5
            if halves and not profile.fractions:
                continue
            if low <= profile.low and profile.high <= high:
                return low, high
        return profile.low, profile.high

    def _list_separator(self, columns: Mapping[str, str]) -> str:
        if self._given.list_separator != "|" or "categories" not in columns:
            return self._given.list_separator
        values = list(self._profiles[columns["categories"]].values)
        if any("|" in value for value in values):
            return "|"
        for separator in (";", ", ", ",", " > ", "/"):
            if sum(separator in value for value in values) >= 0.2 * max(len(values), 1):
                return separator.strip()
        return "|"


def _names_kinds(profile: Profile) -> bool:
    known = [word for word in profile.values if kind_of_word(word, {})]
    return bool(known) and len(profile.values) <= 100 and 2 * len(known) >= len(profile.values)


def _is_text_of(profile: Profile) -> bool:
    return not profile.is_number and not profile.lists


def names_by_values(columns: Sequence[Profile]) -> list[str]:
    """Field names for a table without a header, by what the columns hold; others are called `column_3`."""
    names = [f"column_{place}" for place in range(1, len(columns) + 1)]
    kinds = ["time" if c.is_number and c.is_time() else "number" if c.is_number else "words" for c in columns]
    if kinds[:1] == ["number"] and "words" in kinds and len(columns) <= 4 and not columns[0].doubled:
        for place, name in zip(range(len(columns)), ("item_id", "title", "categories"), strict=False):
            names[place] = name
        return names
    small = [place for place in range(2, len(columns)) if kinds[place] == "number" and columns[place].high <= 100]
    if len(columns) >= 3 and "words" not in kinds[:3] and small:
        names[0], names[1], names[small[0]] = "user_id", "item_id", "value"
        if "time" in kinds:
            names[kinds.index("time")] = "occurred_at"
    return names


def command_of(path: Path, plan: ImportPlan) -> str:
    """The command that imports a file by a plan, ready to be pasted into a shell."""
    options = (
        ("--kind", plan.kind),
        ("--scale", f"{plan.scale[0]:g},{plan.scale[1]:g}" if plan.scale else None),
        ("--separator", plan.separator.replace("\t", r"\t") if plan.separator else None),
        ("--columns", ",".join(plan.names)),
        *(("--set", f"{name}={value}") for name, value in plan.constants.items()),
        *(("--map", pairs) for pairs in _map_options(plan.columns)),
        ("--kinds", ",".join(f"{word}={kind}" for word, kind in plan.kinds.items())),
        ("--list-separator", plan.list_separator if plan.list_separator != "|" else None),
        ("--time-format", plan.time_form),
        ("--source", plan.source),
    )
    words = ["heed", "ingest", str(path), *(word for name, value in options if value for word in (name, value))]
    return shlex.join([*words, *(["--keep-null-words"] if plan.keep_null_words else [])])


def _map_options(columns: Mapping[str, str]) -> list[str]:
    """`--map` as one option; one for each column where a name holds a comma."""
    pairs = [f"{name}={column}" for name, column in columns.items()]
    return pairs if any("," in column for column in columns.values()) else [",".join(pairs)]
