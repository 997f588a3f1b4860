"""The key of the pseudonyms belongs to a home's data: a missing or foreign one is refused, never replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from beam_jobs.landing import drain
from cli.main import heed
from feedback.errors import HomeError
from feedback.intake import open_intake
from feedback.log.sqlite_meta import noted_number
from feedback.settings.home import Settings, load_settings
from feedback.subjects import fingerprint_of, load_or_create_key
from lakehouse.lake import open_lake
from lakehouse.subject_key import NOTE, accept_subject_key, verify_subject_key
from server.app import create_app
from tests.support.landing.streaming import ratings


def log_file(settings: Settings) -> Path:
    return Path(settings.log.url.removeprefix("sqlite://"))


def test_a_new_home_gets_a_key_and_its_fingerprint_stands_in_the_log_at_once(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)

    verify_subject_key(settings)

    key = bytes.fromhex(settings.paths.subject_key_file.read_text())
    assert noted_number(log_file(settings), NOTE) == fingerprint_of(key)
    assert key.hex().encode() not in log_file(settings).read_bytes()
    verify_subject_key(settings)


@pytest.mark.parametrize("kept", ["lake", "log"])
@pytest.mark.parametrize("file", ["lost", "another"])
@pytest.mark.beam
def test_a_key_that_is_lost_or_another_is_refused_wherever_the_fingerprint_is_left(
    settings: Settings, kept: str, file: str
) -> None:
    verify_subject_key(settings)
    open_intake(settings).submit(ratings(5))
    drain(settings)
    verify_subject_key(settings)  # now it stands in the lake too
    if kept == "lake":
        log_file(settings).unlink()
    else:
        Path(settings.lake.uri).rename(settings.paths.home / "away")
    settings.paths.subject_key_file.unlink()
    if file == "another":
        load_or_create_key(settings.paths.subject_key_file)

    with pytest.raises(HomeError, match=r"every person would become somebody else\. Put the key with fingerprint"):
        verify_subject_key(settings)
    assert settings.paths.subject_key_file.exists() == (file == "another")


@pytest.mark.beam
def test_a_home_of_an_earlier_release_gets_a_fingerprint_and_not_a_new_key(settings: Settings) -> None:
    open_intake(settings).submit(ratings(5))  # makes the key and notes nothing
    drain(settings)
    key = settings.paths.subject_key_file.read_bytes()
    settings.paths.subject_key_file.unlink()
    with pytest.raises(HomeError, match="is missing"):
        verify_subject_key(settings)

    settings.paths.subject_key_file.write_bytes(key)
    verify_subject_key(settings)

    expected = fingerprint_of(bytes.fromhex(key.decode()))
    assert open_lake(settings).notes([NOTE]) == {NOTE: expected}
    assert noted_number(log_file(settings), NOTE) == expected


def test_every_process_that_makes_or_reads_pseudonyms_refuses_it(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    verify_subject_key(settings)
    settings.paths.subject_key_file.unlink()
    events = tmp_path / "events.jsonl"
    events.write_text("{}\n")

    for command in (["ingest", str(events)], ["recommend", "u1"], ["run"], ["serve"], ["up"]):
        with pytest.raises(HomeError, match="is missing"):
            heed.main([*command, "--home", str(tmp_path)], standalone_mode=False)
    with pytest.raises(HomeError):
        create_app(settings)


def test_a_key_that_is_lost_for_good_can_be_replaced_knowingly(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    verify_subject_key(settings)
    settings.paths.subject_key_file.unlink()

    found = accept_subject_key(settings)

    verify_subject_key(settings)
    assert noted_number(log_file(settings), NOTE) == found
