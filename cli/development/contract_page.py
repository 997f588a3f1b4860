"""docs/contract.md, written from the structs, where the contract has its one home."""

from __future__ import annotations

from typing import Any

from msgspec import inspect

from cli.development.type_words import fields_of, first_line, type_words
from cli.sizes import size_words
from feedback.contract import CONTRACT_VERSION, KINDS, STATEMENTS, Context, Event
from feedback.errors import REMEDIES
from feedback.settings.landing import AdmissionSettings, LandingSettings
from feedback.settings.serving import HttpSettings
from feedback.settings.source import ROOT
from gateway.bodies import MAX_RECORDS
from lakehouse.landed.quarantine import MAX_RAW_BYTES

PAGE = ROOT / "docs" / "contract.md"

_EVENT, _KEPT = size_words(AdmissionSettings().max_event_bytes), size_words(MAX_RAW_BYTES)
_LINES, _RECORD = f"{LandingSettings().max_record_events:,}", size_words(LandingSettings().max_record_bytes)
_WHOLE = "`too_large`: one row for the whole record"
_BODY = size_words(HttpSettings().max_body_bytes)

_INTRO = f"""# The event contract, version {CONTRACT_VERSION}

One JSON object per piece of feedback; CloudEvents 1.0 envelopes are taken too (`data` is the event, `type` ends in the
kind). Fields that the contract does not know, and what an envelope says beside the event, are kept in `attributes`,
never dropped; where a name is taken there, the second value gets the suffix `@line`. `user_id` and `anonymous_id` are
replaced by a keyed pseudonym before anything is stored. A whole number is taken as its text in every field that holds
an id. Words for nothing (`null`, `undefined`, `NaN` …) are no person: `no_subject`, unless the setting
`admission.accept_placeholder_ids` takes them.

    {{"kind": "rating", "user_id": "196", "item_id": "242", "value": 3, "scale": [1, 5],
     "occurred_at": "2026-01-31T09:30:00Z", "context": {{"country": "DE", "device": "phone"}}}}

This page is generated from `feedback/contract.py` and `feedback/errors.py`.
"""

_RULES = f"""## Identity

An event is identified by its owner (the person, or the item of a catalogue entry), kind, source and id. Two tables
that number their rows from 1 do not meet if their kind or source differs. What comes again is told apart:

| an event | at the gateway | in landing |
|---|---|---|
| whose identity and content were there already | `duplicate` | `duplicate` |
| whose identity was there with other content | rejected, `id_conflict` | `duplicate` |
| without `id`, with `occurred_at`: its id is derived from its content | as above | as above |
| without both, a statement (see below) that repeats the latest | `duplicate` (on SQLite) | `duplicate` |
| the same, and something else was said in between: like, dislike, like | accepted | lands |
| without both, of any other kind, over HTTP: two equal views count twice | accepted | lands |
| the same in a file that comes again: known by content and how often the file holds it | `duplicate` | `duplicate` |

Kinds of which the latest event about a thing holds: STATEMENT_KINDS. Without an `occurred_at`, the time of receipt
stands for it. A repeat is known for `landing.dedup_window_days`. The order of keys inside objects is no content, nor is
Unicode's way to compose letters in texts and raw ids; item ids are compared, and come back, byte for byte.

## Versions

`v` names the version that an event follows; without it, it is {CONTRACT_VERSION}. A version only adds optional
fields or kinds: it never renames a field, changes what one means or makes an optional one needed. So versions run
side by side.

| a sender that | outcome |
|---|---|
| adds a field, or follows a later `v` | landed; what is unknown is kept in `attributes`, and `v` as stated |
| leaves an optional field out | landed; the column is null |
| sends a kind that this release does not know | `unknown_kind`; past the gateway `contract_broken` |
| writes a raw `user_id` to the log itself | landed without it: only that there was one is kept |

What a later release has come to know, `heed replay` lands. A field becomes a column by a migration that is declared
in the table's module in `lakehouse/tables/`: its `version` goes up by one and it gains a nullable `Column` with
`added_in`, which names the `attribute` that held its values so far. The table widens with the next write and nothing
is rewritten. Rows from before read as what their `attributes` hold; readers and writers of the release before go on
with the columns they know.

## Time

`occurred_at` says when something happened and nothing else. A row's day (`landed_on`) is the day on which the log took
it, and landing judges by the log's clock alone, so that a repeat years later decides the same.

| an event that is | at the gateway | in landing |
|---|---|---|
| out of order | accepted | lands in the log's order; what is latest is told by `occurred_at` |
| late, by whatever span | accepted | lands, in the day on which the log took it |
| ahead by at most `admission.max_future_seconds` (a skewed clock) | accepted | lands |
| further ahead | `in_the_future` | `in_the_future` |
| received ahead of the log's clock (a gateway's skewed clock) | accepted | `in_the_future` |
| outside the years 1 to 9999 | `bad_time` | `bad_time` |

An id is recognised for `landing.dedup_window_days` after it landed; the same event sent again later than that lands
again. That is safe: learning, the catalogue and the checks take the first row of an identity, live windows count an
event of long ago as late, and `heed audit` tells how many rows landed again.

What lands is learned from, whatever its version and year: the gateway, landing and the checks read the same bounds. A
row that was written around them and breaks the contract is left out of learning; `heed left-out` shows it.

## Limits

| what | at the gateway | in landing, past the gateway |
|---|---|---|
| an event of more than `admission.max_event_bytes` ({_EVENT}) | `too_large` | `too_large`, its first {_KEPT} kept |
| nesting beyond what can be read (about 1,000 levels) | `not_json` | `undecodable` |
| a request beyond `http.max_body_bytes` ({_BODY}) or {MAX_RECORDS:,} records | 413 | |
| a record of the log beyond `landing.max_record_events` ({_LINES} lines) | | {_WHOLE} |
| a record of the log beyond `landing.max_record_bytes` ({_RECORD}) | | {_WHOLE} |

Landing reads at most about `landing.batch_events` and `landing.batch_bytes` at a time, whatever waits in the log.
"""


def _statement_kinds() -> str:
    """The kinds that replace what was said before, each with what it is about."""
    return ", ".join(f"`{kind}` ({', '.join(fields) or 'owner'})" for kind, fields in STATEMENTS.items())


def contract_page() -> str:
    """The page as Markdown."""
    parts = [_INTRO, "## Fields of every kind\n", _table(Event), "\n## `context`\n", _table(Context)]
    parts.append("\n## Kinds\n")
    common = set(Event.__struct_fields__)
    for kind, struct in KINDS.items():
        parts.append(f"### `{kind}`\n\n{first_line(struct)}\n")
        own = [f for f in fields_of(struct) if f.name not in common or f.required]
        parts.append(_rows(own) if own else "No fields of its own.")
        parts.append("")
    parts.append(_RULES.replace("STATEMENT_KINDS", _statement_kinds()))
    parts.append("## Codes\n\nWhy a record was not accepted, or was not landed.\n")
    parts.append("| code | meaning | what would be right |\n|---|---|---|")
    parts.append("\n".join(f"| `{code}` | {r.meaning} | {r.remedy} |" for code, r in REMEDIES.items()))
    return "\n".join(parts) + "\n"


def _table(struct: type[Any]) -> str:
    return _rows(fields_of(struct))


def _rows(fields: tuple[inspect.Field, ...] | list[inspect.Field]) -> str:
    lines = ["| field | type | needed |", "|---|---|---|"]
    lines += [f"| `{f.name}` | {type_words(f.type)} | {'yes' if f.required else ''} |" for f in fields]
    return "\n".join(lines)
