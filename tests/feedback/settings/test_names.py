"""Settings by section: every spelling of every name, old ones too, and what is refused."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from feedback.errors import SettingsError
from feedback.settings import home
from feedback.settings.home import load_settings, override_settings, setting_names, settings_environment
from feedback.settings.names import EARLIER_NAMES, RENAMED

FLAT_BEFORE_SECTIONS = (
    "log_url", "log_options", "lake_uri", "lake_options", "online_url", "mlflow_url", "spark_master",
    "spark_memory", "beam_runner", "beam_options", "host", "port", "dagster_port", "mlflow_port",
    "max_body_bytes", "max_event_bytes", "max_future_seconds", "accept_placeholder_ids", "log_name",
    "log_partitions", "log_retention_days", "log_lease_seconds", "max_record_events", "max_record_bytes",
    "landing_batch_events", "landing_batch_bytes", "landing_flush_seconds", "landing_poll_seconds",
    "landing_bundle_seconds", "landing_roll_minutes", "landing_metrics_port", "landing_stalled_seconds",
    "expect_landing", "dedup_window_days", "signals", "signals_every_seconds", "signals_lateness_seconds",
    "signals_kept_windows", "upkeep_every_seconds", "upkeep_memory_mb", "upkeep_orphan_hours",
    "landing_history_hours", "lake_history_days", "learn_after_events", "learn_pause_minutes", "nightly_cron",
    "timezone", "seed", "list_length", "bundles_kept", "registered_models_kept", "mlflow_runs_kept",
    "dagster_runs_kept", "table_versions_kept", "refused_days",
)  # fmt: skip
OTHER_VALUES = {
    "int": "700",
    "float": "0.75",
    "bool": "true",
    "str": "elsewhere",
    "list": '["--x"]',
    "dict": '{"a": "b"}',
}


def in_toml(value: str) -> str:
    if value.startswith("{"):
        return '{a = "b"}'
    return f'"{value}"' if value == "elsewhere" else value


@pytest.mark.parametrize("name", sorted({*FLAT_BEFORE_SECTIONS, *EARLIER_NAMES, *RENAMED}))
def test_every_name_from_before_the_sections_works_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    section, field = setting_names().keys[name]
    default = getattr(getattr(load_settings(tmp_path), section), field)
    value = "false" if default is True else OTHER_VALUES[type(default).__name__]

    in_code = load_settings(
        tmp_path, **{name: {"a": "b"} if value.startswith("{") else ["--x"] if "[" in value else value}
    )
    (tmp_path / "heed.toml").write_text(f"{name} = {in_toml(value)}\n")
    in_file = load_settings(tmp_path)
    (tmp_path / "heed.toml").write_text(f"[{section}]\n{field} = {in_toml(value)}\n")
    in_section = load_settings(tmp_path)
    (tmp_path / "heed.toml").unlink()
    monkeypatch.setenv(f"HEED_{name.upper()}", value)
    in_environment = load_settings(tmp_path)

    assert in_code == in_file == in_section == in_environment
    assert getattr(getattr(in_code, section), field) != default


def test_a_flat_name_and_its_section_are_one_setting(tmp_path: Path) -> None:
    (tmp_path / "heed.toml").write_text("port = 81\n[http]\nport = 82\n")

    with pytest.raises(SettingsError, match=r"`port` and `\[http\] port` are one setting"):
        load_settings(tmp_path)


def test_two_variables_of_one_setting_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEED_PORT", "81")
    monkeypatch.setenv("HEED_HTTP_PORT", "82")

    with pytest.raises(SettingsError, match=r"environment: `HEED_PORT` and `HEED_HTTP_PORT` are one setting"):
        load_settings(tmp_path)


def test_another_name_in_another_place_is_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "heed.toml").write_text("[landing]\nbatch_events = 1\n[http]\nport = 81\n")
    monkeypatch.setenv("HEED_PORT", "82")

    settings = load_settings(tmp_path)

    assert (settings.landing.batch_events, settings.http.port) == (1, 82)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1", r"heed.toml: `prot` is not a setting; did you mean `port`, that is `port` in \[http\]\?"),
        ("landing_batch_event = 1", r"did you mean `landing_batch_events`, that is `batch_events` in \[landing\]\?"),
        ("[landing]\nbatch_event = 1", r"\[landing\] has no setting `batch_event`; did you mean `batch_events`\?"),
        ("[landing]\nlanding_batch_events = 1", r"\[landing\] has no setting .*; did you mean `batch_events`\?"),
        ("[lading]\nbatch_events = 1", r"heed.toml: `lading` is not a setting; did you mean the section \[landing\]\?"),
        ("nonsense = 1", r"`nonsense` is not a setting; docs/settings.md names them all"),
        ("http = 8080", r"`http` is a section"),
        ("[landing]\nbatch_events = 0", r"heed.toml: `\[landing\] batch_events`: Expected `int` >= 1"),
        ("port = 0", r"heed.toml: `port`: Expected `int` >= 1 - at `\$\.http\.port`"),
    ],
)
def test_what_is_wrong_is_told_with_what_would_be_right(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "heed.toml").write_text(text)

    with pytest.raises(SettingsError, match=words):
        load_settings(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("HEED_LANDING_BATCH_EVENTS", "0", r"environment: `HEED_LANDING_BATCH_EVENTS`: Expected `int` >= 1"),
        ("HEED_LANDING_REDACT", '["emial"]', r"environment: `HEED_LANDING_REDACT`: Invalid enum value 'emial'"),
        (
            "HEED_LANDING_REDACT",
            "card,iban",
            r"""HEED_LANDING_REDACT: not valid JSON .*; write a list as '\["a", "b"\]'""",
        ),
    ],
)
def test_a_wrong_variable_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    (tmp_path / "heed.toml").write_text("[landing]\nbatch_events = 5\n")
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=words):
        load_settings(tmp_path)


def test_a_wrong_override_is_named_although_the_file_is_right(tmp_path: Path) -> None:
    (tmp_path / "heed.toml").write_text("[landing]\nbatch_events = 5\n")

    with pytest.raises(SettingsError, match=r"^settings of \S+: `landing_batch_events`: Expected `int` >= 1"):
        load_settings(tmp_path, landing_batch_events=0)


def test_a_replaced_word_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(home, "_warned", set())
    (tmp_path / "heed.toml").write_text("signals = false\nupkeep_memory_mb = 600\nport = 81\n")

    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            settings = load_settings(tmp_path)

    assert not settings.windows.enabled
    assert [record.getMessage() for record in caplog.records] == [
        "settings: signals is called windows.enabled now; upkeep_memory_mb is called maintenance.memory_mb now"
    ]


def test_a_misspelt_variable_is_told_and_a_foreign_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(home, "_warned", set())
    for name in ("HEED_LANDING_BATCH_EVENT", "HEED_KEY", "HEED_ENV", "HEED_SERVING_SERVICE_HOST", "HEED_SERVING_PORT"):
        monkeypatch.setenv(name, "tcp://10.0.0.1:80")

    with caplog.at_level(logging.WARNING):
        load_settings(tmp_path)

    assert [record.getMessage() for record in caplog.records] == [
        "settings: HEED_LANDING_BATCH_EVENT is not a setting; HEED_LANDING_BATCH_EVENTS is"
    ]


def test_changed_settings_are_checked_and_keep_the_rest(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, seed=7)

    changed = override_settings(settings, landing_batch_events=3, port=None)

    assert (changed.landing.batch_events, changed.learning.seed, changed.http) == (3, 7, settings.http)
    with pytest.raises(SettingsError, match=r"landing\.batch_events"):
        override_settings(settings, landing_batch_events=0)
    assert load_settings(tmp_path, **changed.flat()) == changed


def test_a_childs_settings_replace_those_that_its_parent_has_under_older_names(tmp_path: Path) -> None:
    told = settings_environment({"HEED_HOST": "::1", "PATH": "/bin"}, str(tmp_path), http_host="127.0.0.2")

    assert told == {"HEED_HTTP_HOST": "127.0.0.2", "HEED_HOME": str(tmp_path), "PATH": "/bin"}
