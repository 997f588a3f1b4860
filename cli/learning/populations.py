"""How commands name the populations that figures are about."""

from __future__ import annotations

POPULATIONS = {
    "strangers": "{lists:,} strangers:",
    "newcomers": "newcomers, {lists:,} lists after their first 1, 3 and 5 events:",
    "known": "{lists:,} known people, with a history in train:",
}
"""By the name of the population; all people are the table itself."""
