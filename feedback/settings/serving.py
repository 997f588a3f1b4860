"""Settings of the HTTP API and of the lists that it serves."""

from __future__ import annotations

from typing import Annotated

import msgspec

from feedback.settings.fields import Port, Positive, says


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HTTP API: gateway and serving."""

    host: Annotated[
        str,
        says("Address that the HTTP API listens on.", "To be reached from other machines, through a proxy with TLS."),
    ] = "127.0.0.1"
    port: Annotated[Port, says("Port of the HTTP API.", "When the port is taken.")] = 8080
    max_body_bytes: Annotated[
        Positive,
        says("Largest body of a request.", "Larger batches; each request is held in memory."),
    ] = 16 * 1024 * 1024


class ServingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lists of recommendations."""

    list_length: Annotated[
        int,
        msgspec.Meta(ge=1, le=1000),
        says(
            "Length of a list when a request names none; evaluation judges lists of this length.", "To fit your page."
        ),
    ] = 10
