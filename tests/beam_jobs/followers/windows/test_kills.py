"""Kill -9 a real landing process while events come in; the windows are those of what landed, once each."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from beam_jobs.landing import drain
from feedback.settings.home import Settings
from lakehouse.lake import open_lake
from lakehouse.window_table import read_windows
from tests.beam_jobs.followers.windows.streams import shown
from tests.beam_jobs.followers.windows.test_in_beam import expected, online
from tests.support.landing.killing import land_until_killed, producing

pytestmark = [pytest.mark.beam, pytest.mark.timeout(1200)]

KILLS = 6


def test_kills_neither_lose_nor_double_what_windows_count(
    settings: Settings, record_property: Callable[[str, object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEED_WINDOWS_EVERY_SECONDS", "0.1")
    seed = random.randrange(1 << 30)
    record_property("seed", seed)
    rng = random.Random(seed)
    accepted: list[str] = []

    with producing(settings, accepted):
        for kill in range(KILLS):
            land_until_killed(settings, rng, kill)
    drain(settings)

    counted = online(settings)
    assert counted == expected(settings)
    assert sum(row["events"] for window, row in counted.items() if window[0] == 3600 and window[2] == "all") == len(
        accepted
    )
    assert shown(read_windows(open_lake(settings))) == expected(settings)
