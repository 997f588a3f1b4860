"""Extract from landed events the statements on personalization and the links between subjects."""

from __future__ import annotations

import logging
from typing import NamedTuple

import polars as pl

from feedback.consent import PERSONALIZATION, Statement, payload_object, statement_about
from feedback.links import Link
from lakehouse.tables.positions import PLACE

LOGGER = logging.getLogger("heed.online")


class Owner(NamedTuple):
    """Whose statements a standing counts: a subject, in one log partition."""

    subject: str
    log_partition: int


def statements_of(events: pl.DataFrame) -> dict[Owner, list[Statement]]:
    """What consent events say about personalization, each subject's in the order of the log."""
    rows = _told_in(events, "consent").select(
        "subject", *PLACE, "payload", _received_at(), pl.col("occurred_at").dt.epoch("us")
    )
    found: dict[Owner, list[Statement]] = {}
    odd: list[tuple[int, int, int]] = []
    for subject, partition, offset, index, payload, received_at, occurred_at in rows.iter_rows():
        stated = payload_object(payload)
        if stated is None:
            odd.append((partition, offset, index))
            continue
        granted = statement_about(PERSONALIZATION, stated)
        if granted is not None:
            statement = Statement((offset, index), granted, received_at, occurred_at)
            found.setdefault(Owner(subject, partition), []).append(statement)
    _tell_ignored("consent", odd)
    return found


def links_of(events: pl.DataFrame) -> list[Link]:
    """The links that identify events state, in the order of the log."""
    rows = _told_in(events, "identify").select("subject", *PLACE, "payload", _received_at())
    found: list[Link] = []
    odd: list[tuple[int, int, int]] = []
    for subject, partition, offset, index, payload, received_at in rows.iter_rows():
        anonymous = (payload_object(payload) or {}).get("anonymous_subject")
        if isinstance(anonymous, str) and anonymous:
            found.append(Link(subject, anonymous, received_at))
        else:
            odd.append((partition, offset, index))
    _tell_ignored("identify", odd)
    return found


def _told_in(events: pl.DataFrame, kind: str) -> pl.DataFrame:
    return events.filter((pl.col("kind") == kind) & pl.col("subject").is_not_null()).sort(PLACE)


def _received_at() -> pl.Expr:
    """Microseconds since 1970, believed within the day on which the log took the record.

    A producer that writes to the log by itself may state any time.
    """
    day = pl.col("landed_on").cast(pl.Datetime("us", "UTC"))
    return pl.col("received_at").clip(day, day.dt.offset_by("1d")).dt.epoch("us")


def _tell_ignored(kind: str, places: list[tuple[int, int, int]]) -> None:
    """Rows of an older release may hold any payload."""
    if places:
        LOGGER.warning(
            "%d events of kind %s have no usable payload and are ignored; the first is at partition %d, offset %d, "
            "index %d",
            len(places),
            kind,
            *places[0],
        )
