"""The lines of one poll, split on first use: landing needs single lines only for rows that it rejects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload


class Lines(Sequence[bytes]):
    """Lines in one block of bytes, separated by newlines."""

    __slots__ = ("_count", "_data", "_split")

    def __init__(self, data: bytes, count: int) -> None:
        self._data = data
        self._count = count
        self._split: list[bytes] | None = None

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if self._split is None:
            self._split = self._data.split(b"\n") if self._count else []
        return self._split[index]

    @property
    def size(self) -> int:
        """Bytes of all lines together."""
        return len(self._data)
