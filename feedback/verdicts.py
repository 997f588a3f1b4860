"""Verdicts: the gateway's answer to each record, accepted, duplicate or rejected with a code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

import msgspec

from feedback.errors import REMEDIES, Code


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The outcome of one record, in the order in which the records were sent."""

    index: int
    verdict: Literal["accepted", "duplicate", "rejected"]
    id: str | None = None
    code: Code | None = None
    field: str | None = None
    detail: str | None = None
    remedy: str | None = None


class Rejected(msgspec.Struct, frozen=True):
    """Why admission refused a record; `field` is the path inside it, like `context.country`."""

    code: Code
    detail: str
    field: str | None = None
    id: str | None = None

    def verdict(self, index: int) -> Verdict:
        """The verdict to send back."""
        return Verdict(
            index=index,
            verdict="rejected",
            id=self.id,
            code=self.code,
            field=self.field,
            detail=self.detail,
            remedy=REMEDIES[self.code].remedy,
        )


class VerdictCounts(msgspec.Struct, frozen=True):
    """Verdicts added up; sent = accepted + duplicates + rejected."""

    accepted: int
    duplicates: int
    rejected: int
    codes: dict[str, int]

    @property
    def sent(self) -> int:
        """All records that got a verdict."""
        return self.accepted + self.duplicates + self.rejected

    def __add__(self, other: VerdictCounts) -> VerdictCounts:
        return VerdictCounts(
            self.accepted + other.accepted,
            self.duplicates + other.duplicates,
            self.rejected + other.rejected,
            dict(Counter(self.codes) + Counter(other.codes)),
        )


NO_VERDICTS = VerdictCounts(0, 0, 0, {})


def count_verdicts(verdicts: Iterable[Verdict]) -> VerdictCounts:
    """Add up verdicts by outcome and by code."""
    outcomes: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    for verdict in verdicts:
        outcomes[verdict.verdict] += 1
        if verdict.code is not None:
            codes[str(verdict.code)] += 1
    return VerdictCounts(outcomes["accepted"], outcomes["duplicate"], outcomes["rejected"], dict(codes))
