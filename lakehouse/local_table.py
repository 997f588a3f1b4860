"""Delta tables in local folders whose names need percent-encoding.

delta-rs turns a path into a URI and gives the paths of data files back percent-encoded, without decoding them: under
`/srv/a b` it names `/srv/a%20b/…`, which is not there. So they are decoded here. Names that delta-rs cannot hold at
all are refused before anything is written (`feedback.settings.folders`).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from deltalake import DeltaTable


class LocalTable(DeltaTable):
    """A table whose `file_uris` are the paths of its files."""

    def file_uris(self, *arguments: Any, **named: Any) -> list[str]:  # noqa: ANN401 - delta-rs' own
        """The data files of the current version, as paths of the file system."""
        found: list[str] = super().file_uris(*arguments, **named)
        return [unquote(uri) for uri in found] if "%" in self.table_uri else found
