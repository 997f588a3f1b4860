from __future__ import annotations

from pathlib import Path

import pytest

from dagster_project.instance import ensure_instance, open_instance
from feedback.errors import HomeError
from feedback.settings.home import Settings, load_settings


def test_the_instance_is_made_once_and_then_left_alone(settings: Settings) -> None:
    folder = ensure_instance(settings)
    written = folder / "dagster.yaml"
    written.write_text("telemetry:\n  enabled: false\n# mine\n", encoding="utf-8")

    ensure_instance(settings)

    assert written.read_text(encoding="utf-8").endswith("# mine\n")


def test_it_has_no_telemetry_and_lets_one_writer_into_each_pool(settings: Settings) -> None:
    with open_instance(settings) as instance:
        assert instance.telemetry_enabled is False
        concurrency = instance.get_concurrency_config()

        assert concurrency.pool_config.default_pool_limit == 1
        assert concurrency.pool_config.pool_granularity is not None
        assert concurrency.pool_config.pool_granularity.value == "op"
        assert instance.event_log_storage.is_persistent


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file", encoding="utf-8")

    with pytest.raises(HomeError, match="home"):
        ensure_instance(load_settings(tmp_path / "home"))
