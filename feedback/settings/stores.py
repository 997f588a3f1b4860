"""Settings of the stores that landing reads and writes: the feedback log, the lake, the online store."""

from __future__ import annotations

from typing import Annotated

import msgspec

from feedback.settings.fields import Positive, PositiveSeconds, says


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The feedback log between the gateway and landing."""

    url: Annotated[
        str,
        says(
            "Address of the log: `sqlite:///PATH` or `kafka://HOST:PORT[,HOST:PORT]/TOPIC`.",
            "Kafka, when several machines send or land ([how to](how-to/kafka.md)).",
            default="`feedback-log.db` in the home",
        ),
    ] = ""
    options: Annotated[
        dict[str, str],
        says("Options of librdkafka, passed to it as they are.", "TLS and SASL of a guarded cluster, timeouts."),
    ] = {}
    name: Annotated[
        str,
        says(
            "Name under which the tables keep the positions in the log.",
            "Another log for the same lake: its offsets begin anew.",
        ),
    ] = "feedback"
    partitions: Annotated[
        int,
        msgspec.Meta(ge=1, le=1024),
        says(
            "Partitions of the log. Fixed when the log is made; Kafka topics may grow.",
            "More, for more landing workers at once: each needs a partition.",
        ),
    ] = 4
    retention_days: Annotated[
        Positive,
        says(
            "How long the log keeps what has landed, and the online store what the bundles already know.",
            "Longer, to land again from the log; shorter, to save disk.",
        ),
    ] = 30
    lease_seconds: Annotated[
        PositiveSeconds,
        says(
            "A landing worker that is silent for so long loses its partitions to the others.",
            "Shorter for a faster takeover, longer where a worker may pause that long.",
        ),
    ] = 6.0


class LakeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the Delta tables are."""

    uri: Annotated[
        str,
        says(
            "Folder or object-store prefix of the Delta tables: a path, or an address that delta-rs takes, such as `s3://bucket/heed`.",
            "A lake that several machines see, or another disk.",
            default="`lake` in the home",
        ),
    ] = ""
    options: Annotated[
        dict[str, str],
        says("Storage options of delta-rs, passed to it as they are.", "Endpoint and credentials of an object store."),
    ] = {}


class OnlineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The online store: recent events, consent and live windows, for serving."""

    url: Annotated[
        str,
        says(
            "Address of the online store: `sqlite:///PATH`.",
            "A faster disk; every process of the home must see it.",
            default="`online.db` in the home",
        ),
    ] = ""
