"""Settings of the way from the log into the tables: admission, landing, live windows, Beam."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, get_args

import msgspec

from feedback.bounds import DEFAULT_MAX_FUTURE
from feedback.settings.fields import Port, Positive, PositiveSeconds, says

MIB = 1024 * 1024
Redacted = Literal["email", "phone", "card", "iban", "token"]


class AdmissionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events are accepted, by the gateway and by landing alike."""

    max_event_bytes: Annotated[
        Positive,
        says("Largest event.", "Larger, for long reviews or many unknown fields; smaller, to refuse misuse."),
    ] = MIB // 4
    max_future_seconds: Annotated[
        PositiveSeconds,
        says(
            "How far ahead of the clock an event's time may be; beyond that it is refused.",
            "Larger, where devices' clocks are wrong and their events are wanted.",
        ),
    ] = DEFAULT_MAX_FUTURE.total_seconds()
    accept_placeholder_ids: Annotated[
        bool,
        says(
            "Take words like `null`, `None` or `undefined` in `user_id` and `anonymous_id` for persons. "
            "Otherwise such events are refused as `no_subject`.",
            "Only where these are real ids, or to land what an earlier release accepted.",
        ),
    ] = False

    @property
    def max_future(self) -> timedelta:
        """`max_future_seconds` as a span."""
        return timedelta(seconds=self.max_future_seconds)


class LandingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Beam job that moves the log into the tables."""

    batch_events: Annotated[
        Positive,
        says("About how many events landing takes at a time.", "Smaller, to save memory; larger, for fewer commits."),
    ] = 50_000
    batch_bytes: Annotated[
        Positive,
        says("About how many bytes landing takes at a time.", "Smaller, to save memory."),
    ] = 32 * MIB
    flush_seconds: Annotated[
        PositiveSeconds,
        says(
            "At most one commit in this time while events keep coming.",
            "Longer, for fewer and larger files; shorter, for fresher lists.",
        ),
    ] = 0.15
    poll_seconds: Annotated[
        PositiveSeconds,
        says("Pause before an empty log is read again.", "Longer, to save CPU where a second of delay is nothing."),
    ] = 0.01
    bundle_seconds: Annotated[
        PositiveSeconds,
        says(
            "How long the reader keeps a bundle open before it hands back to the runner. Commits do not wait for it.",
            "0.1 on Prism with stages behind a shuffle, 10 on Flink ([how to](how-to/runners.md)).",
        ),
    ] = 1.0
    roll_minutes: Annotated[
        PositiveSeconds,
        says(
            "How long one pipeline of a stream on the embedded runner lasts before a fresh one follows it.",
            "Shorter, where memory is scarce: the embedded runner keeps a little of every bundle.",
        ),
    ] = 10.0
    metrics_port: Annotated[
        Port,
        says("Port of the landing stream's `/metrics` under `heed up`.", "When the port is taken."),
    ] = 9464
    stalled_seconds: Annotated[
        PositiveSeconds,
        says(
            "After so long without landing, while records wait or no stream is heard of, `/readyz` says so.",
            "Longer, where landing may rest for planned work.",
        ),
    ] = 60.0
    expected: Annotated[
        bool,
        says(
            "Whether `/readyz` is 503 while landing stands still although no stream was heard of on this home. "
            "`heed up` sets it.",
            "Landing runs on another machine.",
        ),
    ] = False
    dedup_window_days: Annotated[
        Positive,
        says(
            "How long a repeated id is recognised.",
            "Longer, where senders repeat old events; memory grows with the ids of the window.",
        ),
    ] = 30
    redact: Annotated[
        list[Redacted],
        says(
            "What landing replaces in customers' texts: `email`, `phone`, `card`, `iban`, `token` "
            "([how to](how-to/redaction.md)).",
            "Fewer, where a text must keep something; `[]` for nothing.",
        ),
    ] = msgspec.field(default_factory=lambda: list(get_args(Redacted)))
    max_record_events: Annotated[
        Positive,
        says(
            "Most events of one record of the log that landing takes apart; a larger record goes to quarantine whole.",
            "Larger, where a producer of your own packs more into a record.",
        ),
    ] = 100_000
    max_record_bytes: Annotated[
        Positive,
        says(
            "Largest record of the log that landing takes apart; a larger one goes to quarantine whole.",
            "Larger, where a producer of your own packs more into a record.",
        ),
    ] = 32 * MIB


class WindowSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Live windows: counts and scores of the last seconds, minutes and hours."""

    enabled: Annotated[
        bool,
        says("Whether landing keeps live windows ([how to](how-to/windows.md)).", "Off, where nobody reads them."),
    ] = True
    every_seconds: Annotated[
        PositiveSeconds,
        says("How often open windows show what came since.", "Shorter, for fresher figures at more writes."),
    ] = 5.0
    lateness_seconds: Annotated[
        PositiveSeconds,
        says(
            "How long after a window's end an event may still reach the log and count in it.",
            "Longer, where senders deliver late; windows then stay open longer.",
        ),
    ] = 600.0
    kept: Annotated[
        Positive,
        says(
            "Closed windows of each length that the online store keeps; the table `signals` keeps all.",
            "More, to look back further without the table.",
        ),
    ] = 60


class BeamSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where landing's pipeline runs."""

    runner: Annotated[
        str,
        says("Beam runner of landing.", "Another runner, on other machines ([how to](how-to/runners.md))."),
    ] = "FnApiRunner"
    options: Annotated[
        list[str],
        says("Options of Beam and of its runner, passed on as they are.", "The job server's address, environments."),
    ] = []
