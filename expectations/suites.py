"""Every suite by its table's name, in the order of the data path."""

from __future__ import annotations

from expectations.feedback import FEEDBACK_SUITE
from expectations.interactions import INTERACTIONS_SUITE
from expectations.items import ITEMS_SUITE
from expectations.suite import Suite

SUITES: dict[str, Suite] = {suite.name: suite for suite in (FEEDBACK_SUITE, ITEMS_SUITE, INTERACTIONS_SUITE)}
