"""Folders: names of local folders that the libraries which read tables can handle."""

from __future__ import annotations

import re
from pathlib import Path

from feedback.errors import HomeError

REFUSED = r"% ? [ ] { } | ^ \ ="
"""Characters that a local folder of the lake cannot have; control characters are refused too.

delta-rs decodes `%41` when it opens a table and panics on `[`; Spark takes `{a,b}` for a pattern, Polars `a=b` for a
partition.
"""

_REFUSED = re.compile(r"[%?\[\]{}|^\\=\x00-\x1f\x7f]")


def refuse_unusable_folder(folder: Path | str) -> None:
    """Refuse a local folder that the libraries below cannot read back.

    Links are followed, for delta-rs follows them.

    Raises:
        HomeError: Its path holds such a character.
    """
    path = str(Path(folder).resolve())
    found = _REFUSED.search(path)
    if found:
        raise HomeError(
            f"folder {path} cannot hold Delta tables: its path has the character {found.group()!r}, under which files "
            f"cannot be found again; use one without any of {REFUSED}, for the home (--home DIR, HEED_HOME) or for the "
            "tables alone (lake_uri)"
        )
