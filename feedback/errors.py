"""Every error Heed raises on purpose, and every code a record can be refused with.

HeedError
├── UsageError                wrong arguments, files or settings
│   ├── SettingsError
│   ├── ImportFileError       a file that cannot be ingested as asked
│   │   ├── ImportStopped     a file of which the rows before a fault are in
│   │   └── RowsRefused       a file of which some rows are not in
│   └── PortTaken
├── HomeError                 the home folder cannot be used
│   ├── HomeInUse
│   └── PublicKey             a home whose pseudonym key is public, served to other machines
├── LogError                  the feedback log
│   └── LogGap                the log no longer holds a position that landing needs
├── LakeError                 the Delta tables
│   ├── ContractViolation     a frame does not match its table's spec
│   ├── TableMissing
│   ├── StalePosition         another writer moved a partition on
│   ├── ReplayInProgress      another replay writes to the ledger
│   ├── MaintenanceBusy       another process does maintenance on this lake
│   └── MaintenanceFailed
├── LearningError             fitting, evaluation, the registry
│   ├── NotEnoughFeedback
│   ├── NoModel               nothing has been published yet
│   │   └── ModelUnusable     what was published cannot be loaded
│   ├── RollbackHolds         nothing is published until the rollback is released
│   └── BundleCorrupt
├── ServiceError              a part that Heed runs or talks to
│   └── JavaMissing
└── AccessDenied              missing, unknown or too weak API key
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class HeedError(Exception):
    """Base of all errors that a person or a client can act on; the message says what, where and what is right."""

    status = 500
    exit_code = 1


class UsageError(HeedError):
    """Raised when an argument, a file or a setting is not what the command takes."""

    status = 400
    exit_code = 2


class SettingsError(UsageError):
    """Raised when a setting has an unknown name, a wrong type or an impossible value."""


class ImportFileError(UsageError):
    """Raised when a file cannot be ingested: missing, empty, unknown format, or columns that are not there."""


class ImportStopped(ImportFileError):
    """Raised when a file could be read only in part: the rows before the fault have their verdicts."""

    exit_code = 1


class RowsRefused(ImportFileError):
    """Raised when more rows of a file were refused than the sender allows; the others are in."""

    exit_code = 1


class PortTaken(UsageError):
    """Raised when a port that a service needs is in use."""


class HomeError(HeedError):
    """Raised when the home folder cannot be made, read or written."""


class HomeInUse(HomeError):
    """Raised when another `heed up` already runs on this home."""


class PublicKey(HomeError):
    """Raised when a home whose pseudonym key is public would be served to other machines."""


class LogError(HeedError):
    """Raised when the feedback log cannot be opened, read or appended to."""

    status = 503


class LogGap(LogError):
    """Raised when the log no longer holds a position that landing has to read next."""


class LakeError(HeedError):
    """Raised when a Delta table cannot be read or written."""


class ContractViolation(LakeError):
    """Raised when a frame does not match its table's spec."""


class TableMissing(LakeError):
    """Raised when a table is read before anything was written to it."""

    status = 503


class MaintenanceBusy(LakeError):
    """Raised when another process does maintenance on this lake, or writes a checkpoint."""


class MaintenanceFailed(LakeError):
    """Raised when maintenance could not go on: its child process does not start, or its answer makes no sense."""


class StalePosition(LakeError):
    """Raised when a batch starts where another writer has already been."""


class ReplayInProgress(LakeError):
    """Raised when two replays want to write down their plans at once."""


class LearningError(HeedError):
    """Raised when a model cannot be fitted, evaluated or registered."""


class NotEnoughFeedback(LearningError):
    """Raised when there is too little feedback to learn from."""


class NoModel(LearningError):
    """Raised when a list is asked for before a model was published."""

    status = 503


class ModelUnusable(NoModel):
    """Raised when a list is asked for while the published model cannot be loaded."""


class RollbackHolds(LearningError):
    """Raised when something is to be published while a rollback holds."""


class BundleCorrupt(LearningError):
    """Raised when a published bundle lacks a file or a file does not match its checksum."""


class ServiceError(HeedError):
    """Raised when a process or a machine's part that Heed depends on does not work."""

    status = 503


class JavaMissing(ServiceError):
    """Raised when no Java of version 17 or newer can be found for Spark."""


class AccessDenied(HeedError):
    """Raised when a request carries no key, an unknown key, or one without the scope it needs."""

    status = 401


@dataclass(frozen=True, slots=True)
class Remedy:
    """What a code means and what the sender can do about it."""

    meaning: str
    remedy: str


class Code(StrEnum):
    """Why a record was not accepted, or was not landed; the same word in verdicts, quarantine and metrics."""

    # the gateway: the record itself
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    TOO_LARGE = "too_large"
    UNKNOWN_KIND = "unknown_kind"
    MISSING_FIELD = "missing_field"
    INVALID_FIELD = "invalid_field"
    OUT_OF_RANGE = "out_of_range"
    BAD_TIME = "bad_time"
    IN_THE_FUTURE = "in_the_future"
    NO_SUBJECT = "no_subject"
    BAD_ENVELOPE = "bad_envelope"
    CONSENT_MISSING = "consent_missing"
    MALFORMED_ROW = "malformed_row"
    ID_CONFLICT = "id_conflict"
    # the gateway and landing
    DUPLICATE = "duplicate"
    # landing: what the log holds
    UNDECODABLE = "undecodable"
    CONTRACT_BROKEN = "contract_broken"
    LOG_TIME = "log_time"
    # landing: what the log no longer holds
    SKIPPED = "skipped"


REMEDIES: dict[Code, Remedy] = {
    Code.NOT_JSON: Remedy("the record is not valid JSON", "send one JSON object per record, UTF-8"),
    Code.NOT_AN_OBJECT: Remedy("the record is not a JSON object", "wrap the fields of one event in { }"),
    Code.TOO_LARGE: Remedy("the record is larger than the limit", "send less text, or split the event"),
    Code.UNKNOWN_KIND: Remedy("`kind` is missing or not one of the contract's", "use a kind from the contract"),
    Code.MISSING_FIELD: Remedy("a field that this kind needs is absent", "add the field"),
    Code.INVALID_FIELD: Remedy("a field has the wrong type or form", "send the type the contract names"),
    Code.OUT_OF_RANGE: Remedy("a number lies outside its range or scale", "send a value inside the scale"),
    Code.BAD_TIME: Remedy(
        "`occurred_at` is not an RFC 3339 time with a zone, or outside the years 1 to 9999",
        "send e.g. 2026-01-31T09:30:00Z",
    ),
    Code.IN_THE_FUTURE: Remedy(
        "a time is further ahead than `max_future_seconds` (5 minutes)",
        "set the clock right; what landing refused can then be replayed as it is",
    ),
    Code.NO_SUBJECT: Remedy(
        "neither `user_id` nor `anonymous_id` names anybody: both are absent, or one is blank or a word for nothing",
        "send one of the two; `accept_placeholder_ids` takes words like `None` for ids",
    ),
    Code.BAD_ENVELOPE: Remedy("the CloudEvents envelope is incomplete", "send specversion, id, source, type and data"),
    Code.CONSENT_MISSING: Remedy(
        "the event states its consent, and it does not include `feedback`",
        "send the event only where the person agreed to it",
    ),
    Code.MALFORMED_ROW: Remedy(
        "the line of an import file cannot be taken apart: open quotes, too many or too few cells, bytes that are no "
        "UTF-8 text",
        "correct the line and send the file again",
    ),
    Code.ID_CONFLICT: Remedy(
        "another event of this kind and source has this id from the same person (or item), with other content",
        "give each event an id of its own; number the rows of each table under a source of its own (`--source`)",
    ),
    Code.DUPLICATE: Remedy(
        "this event is there already: same person (or item), kind, source, id and content", "nothing: a retry is safe"
    ),
    Code.UNDECODABLE: Remedy(
        "the log's record is not an admitted event", "correct the producer that bypasses the gateway"
    ),
    Code.SKIPPED: Remedy(
        "the log no longer held these records when landing came to them", "send them again, if the senders still can"
    ),
    Code.LOG_TIME: Remedy(
        "the log's own time of the record is out of bounds, and so is a time that the event states",
        "set right the clock of the broker, the host or the producer; replay the row as it is",
    ),
    Code.CONTRACT_BROKEN: Remedy("the admitted event breaks the contract", "repair the row and replay it"),
}
