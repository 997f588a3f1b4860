"""How well texts with planted data are redacted: what was found of it, what was found beside it, and at what cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.redacting.samples import Sample
from text.redaction import redact_text
from text.sensitive import Sensitive


@dataclass
class Score:
    """Counts by type over many texts."""

    found: Counter[Sensitive] = field(default_factory=Counter)
    missed: Counter[Sensitive] = field(default_factory=Counter)
    wrong: Counter[Sensitive] = field(default_factory=Counter)
    exact: int = 0
    """Texts that read as they should to the last character."""
    texts: int = 0

    def recall(self, kind: Sensitive | None = None) -> float:
        """Share of what was planted that was found; over all types where none is named."""
        found = self._of(self.found, kind)
        return found / max(1, found + self._of(self.missed, kind))

    def precision(self, kind: Sensitive | None = None) -> float:
        """Share of what was found that was planted."""
        found = self._of(self.found, kind)
        return found / max(1, found + self._of(self.wrong, kind))

    @staticmethod
    def _of(counts: Counter[Sensitive], kind: Sensitive | None) -> int:
        return counts.total() if kind is None else counts[kind]


def score(samples: Iterable[Sample]) -> Score:
    """Redact each text and compare; a planted piece counts as found where nothing of it is left under its own type."""
    total = Score()
    for sample in samples:
        redacted, counts = redact_text(sample.text, region=sample.region)
        total.texts += 1
        total.exact += redacted == sample.redacted
        for kind in Sensitive:
            gone = sum(value not in redacted for planted, value in sample.planted if planted is kind)
            found = min(gone, counts[kind])
            total.found[kind] += found
            total.missed[kind] += sample.counts[kind] - found
            total.wrong[kind] += counts[kind] - found
    return total
