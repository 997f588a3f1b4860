from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dagster_project.lock import holder, holding
from feedback.errors import HomeInUse


def test_a_second_owner_is_refused_and_told_who_holds_the_home(tmp_path: Path) -> None:
    with (
        holding(tmp_path / "run", owner="first"),
        pytest.raises(HomeInUse, match=r"is busy: run first, process \d+, holds"),
        holding(tmp_path / "run", owner="second"),
    ):
        pytest.fail("two owners at once")


def test_the_same_owner_may_enter_again(tmp_path: Path) -> None:
    with holding(tmp_path, owner="first"):
        with holding(tmp_path, owner="first"):
            pass
        assert holder(tmp_path) is not None


def test_after_the_owner_left_the_next_may_enter(tmp_path: Path) -> None:
    with holding(tmp_path, owner="first"):
        pass

    assert holder(tmp_path) is None
    with holding(tmp_path, owner="second"):
        assert "run second" in str(holder(tmp_path))


def test_the_lock_of_another_process_is_respected_and_dies_with_it(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from dagster_project.lock import holding\n"
        "with holding(Path(sys.argv[1]), owner='other'):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(HomeInUse, match="run other"), holding(tmp_path, owner="mine"):
            pytest.fail("two owners at once")
        child.kill()
        child.wait()

    with holding(tmp_path, owner="mine"):
        pass
