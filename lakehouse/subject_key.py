"""The key of the pseudonyms and the home's data belong together: another key would make everybody another person.

The key's fingerprint, a one-way digest, stands as a note in the lake and, on the embedded log, in the log's file. A
home without one gets it at the first start. On Kafka the lake alone holds it, for all hosts read that.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from feedback.errors import HomeError
from feedback.log.open import open_log
from feedback.log.sqlite_meta import note_number, noted_number
from feedback.settings.home import Settings
from feedback.subjects import fingerprint_of, load_or_create_key
from lakehouse.lake import open_lake
from lakehouse.tables.feedback import FEEDBACK

NOTE = "subject-key"
_SQLITE = "sqlite://"


def verify_subject_key(settings: Settings) -> None:
    """Make the key on first use; refuse one that is not the key of this home's data.

    Raises:
        HomeError: The key is another one, or it is missing while there is data that was made with it.
        LogError: The log's file cannot be read or written.
        LakeError: The lake cannot be read or written.
    """
    noted = _noted(settings)
    expected = next(filter(None, noted.values()), 0)
    path = settings.paths.subject_key_file
    if not path.exists() and (expected or _has_data(settings)):
        raise HomeError(_refusal(f"key file {path} is missing", expected, path))
    found = fingerprint_of(load_or_create_key(path))
    _refuse_another(noted, found, path)
    if 0 in noted.values():
        _note(settings, found)
        _refuse_another(_noted(settings), found, path)  # a host that started with this one may have been quicker


def accept_subject_key(settings: Settings) -> int:
    """Go on with the key that is in place: everybody is a new person from now on. Returns its fingerprint.

    Raises:
        HomeError: The key cannot be read or made.
    """
    found = fingerprint_of(load_or_create_key(settings.paths.subject_key_file))
    _note(settings, found, replace=True)
    return found


def _refuse_another(noted: Mapping[str, int], found: int, path: Path) -> None:
    for place, number in noted.items():
        if number not in (0, found):
            what = f"key file {path} (fingerprint {found:016x}) is not the key of {place}"
            raise HomeError(_refusal(what, number, path))


def _noted(settings: Settings) -> dict[str, int]:
    """By place, the fingerprint noted there; 0 for none."""
    lake = open_lake(settings)
    noted = {f"the lake {lake.root}": lake.notes([NOTE])[NOTE]}
    log_file = _log_file(settings)
    if log_file is not None:
        noted[f"the feedback log {log_file}"] = noted_number(log_file, NOTE)
    return noted


def _note(settings: Settings, fingerprint: int, *, replace: bool = False) -> None:
    lake, log_file = open_lake(settings), _log_file(settings)
    if log_file is not None:
        open_log(settings.log).close()  # makes the file
        note_number(log_file, NOTE, fingerprint, replace=replace)
    if (log_file is None or lake.exists(FEEDBACK)) and lake.notes([NOTE])[NOTE] != fingerprint:
        lake.note({NOTE: fingerprint})


def _log_file(settings: Settings) -> Path | None:
    scheme, _, rest = settings.log.url.partition("://")
    return Path(rest) if f"{scheme}://" == _SQLITE else None


def _has_data(settings: Settings) -> bool:
    """Whether anything has landed, or waits in the embedded log."""
    lake, log_file = open_lake(settings), _log_file(settings)
    if lake.exists(FEEDBACK) and lake.file_uris(FEEDBACK):
        return True
    return log_file is not None and log_file.exists() and any(end for _, end in _bounds(settings).values())


def _bounds(settings: Settings) -> dict[int, tuple[int, int]]:
    log = open_log(settings.log)
    try:
        return log.bounds()
    finally:
        log.close()


def _refusal(what: str, expected: int, path: Path) -> str:
    named = f"the key with fingerprint {expected:016x}" if expected else "the key"
    return (
        f"{what}; with another key every person would become somebody else. Put {named} back to {path}, from your "
        "backup or from the host that this home was moved from (docs/how-to/operate.md). If it is lost for good, "
        "`heed keys accept-subject-key` goes on with a new one"
    )
