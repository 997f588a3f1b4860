"""`heed bench` finds its benchmarks by name, wherever in `bench/` they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.development.bench import bench
from feedback.settings.source import ROOT


@pytest.mark.parametrize(("former", "name"), [("signals", "windows"), ("upkeep", "maintenance")])
def test_a_former_name_works_with_a_warning(former: str, name: str) -> None:
    told = CliRunner().invoke(bench, [former, "--help"])

    assert told.exit_code == 0
    assert (
        told.stderr == f"heed: warning: heed bench {former} is called heed bench {name} now; the old name still works\n"
    )


def test_no_two_benchmarks_share_a_name() -> None:
    names = [path.stem for path in Path(ROOT, "bench").glob("*/*.py") if "\ndef run(" in path.read_text("utf-8")]

    assert len(names) == len(set(names)) > 10
