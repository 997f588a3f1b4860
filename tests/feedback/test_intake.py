from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from feedback.errors import HomeError, SettingsError, UsageError
from feedback.intake import open_intake
from feedback.log.port import Memo, pack
from feedback.settings.home import Settings, ensure_home, load_settings, override_settings
from feedback.subjects import load_or_create_key
from feedback.verdicts import count_verdicts
from tests.conftest import NOW
from web.api_keys import ApiKeys

RATING = {"kind": "rating", "user_id": "u", "item_id": "i", "value": 4, "scale": [1, 5]}


def test_a_record_sent_twice_is_a_duplicate_within_and_across_requests_and_restarts(settings: Settings) -> None:
    intake = open_intake(settings, clock=lambda: NOW)

    first = intake.submit([{**RATING, "id": "1"}, {**RATING, "id": "1"}, {**RATING, "id": "2"}])
    second = open_intake(settings, clock=lambda: NOW).submit([{**RATING, "id": "2"}, b"{"])

    assert [v.verdict for v in first] == ["accepted", "duplicate", "accepted"]
    assert [v.verdict for v in second] == ["duplicate", "rejected"]
    assert count_verdicts([*first, *second]).codes == {"duplicate": 2, "not_json": 1}


def test_the_same_id_from_another_person_is_another_event(settings: Settings) -> None:
    verdicts = open_intake(settings).submit([{**RATING, "id": "1"}, {**RATING, "id": "1", "user_id": "other"}])

    assert [v.verdict for v in verdicts] == ["accepted", "accepted"]


def test_the_log_holds_exactly_the_accepted_events(settings: Settings) -> None:
    intake = open_intake(settings)

    intake.submit([{**RATING, "user_id": str(n)} for n in range(500)] + [b"broken"])

    held = sum(r.count for p in range(4) for r in intake.log.read(p, 0, max_events=1000))
    assert held == 500


def test_the_subject_key_is_made_once_and_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "subjects.key"
    found: list[bytes] = []

    threads = [threading.Thread(target=lambda: found.append(load_or_create_key(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(found)) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["subjects.key"]  # noqa: PTH208 - nothing else may be left over


@pytest.mark.parametrize("content", ["", "zz", "abcd"], ids=["empty", "not hexadecimal", "too short"])
def test_a_damaged_subject_key_is_refused_not_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "subjects.key"
    path.write_text(content)

    with pytest.raises(HomeError, match="restore it from a backup"):
        load_or_create_key(path)


def test_api_keys_are_hashed_scoped_and_revocable(settings: Settings) -> None:
    keys = ApiKeys(settings.paths.api_keys_file)

    secret = keys.create("web", ("feedback:write",), now=NOW)

    found = ApiKeys(settings.paths.api_keys_file).find(secret)
    assert found is not None
    assert found.allows("feedback:write")
    assert not found.allows("recommendations:read")
    assert secret.encode() not in settings.paths.api_keys_file.read_bytes()
    assert stat.S_IMODE(settings.paths.api_keys_file.stat().st_mode) == 0o600
    keys.revoke("web")
    assert keys.find(secret) is None


def test_api_key_names_are_unique_and_scopes_known(settings: Settings) -> None:
    keys = ApiKeys(settings.paths.api_keys_file)
    keys.create("web", ("admin",), now=NOW)

    with pytest.raises(UsageError, match="exists"):
        keys.create("web", ("admin",), now=NOW)
    with pytest.raises(UsageError, match="scopes"):
        keys.create("other", (), now=NOW)


def test_settings_come_from_arguments_environment_and_file_in_that_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "heed.toml").write_text("port = 1\nlist_length = 7\nseed = 9")
    monkeypatch.setenv("HEED_PORT", "2")
    monkeypatch.setenv("HEED_LIST_LENGTH", "8")

    settings = load_settings(tmp_path, port=3)

    assert (settings.http.port, settings.serving.list_length, settings.learning.seed) == (3, 8, 9)


@pytest.mark.parametrize("line", ["prot = 1", "port = 0", "port = 'x'", "port = = 1"])
def test_wrong_settings_are_refused_with_the_file_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "heed.toml").write_text(line)

    with pytest.raises(SettingsError, match=str(tmp_path)):
        load_settings(tmp_path)


def test_a_home_that_cannot_be_made_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(HomeError, match="--home"):
        ensure_home(load_settings(tmp_path / "file" / "home"))


def test_an_unknown_log_address_is_refused(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="unknown scheme 'ftp'") as told:
        open_intake(override_settings(settings, log_url="ftp://me:hunter2@somewhere"))
    assert "hunter2" not in str(told.value)
    with pytest.raises(SettingsError, match="log_url is no address"):
        open_intake(override_settings(settings, log_url="/a/path"))


def test_records_are_bounded_by_events_and_by_bytes() -> None:
    events = [(n % 2, b"x" * size, Memo(b"%d" % n)) for n, size in enumerate([10, 1, 10, 1, 30, 1, 10, 1])]

    records = pack(events, max_events=3, max_bytes=25)

    assert [(r.partition, r.count, len(r.value)) for r in records] == [
        (0, 2, 21), (0, 1, 30), (0, 1, 10), (1, 3, 5), (1, 1, 1),
    ]  # fmt: skip
    assert [memo.key for r in records for memo in r.memos] == [b"0", b"2", b"4", b"6", b"1", b"3", b"5", b"7"]
