"""The demo's home: made afresh, never over anything else's, and not served to other machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.demo.chapters import CHAPTERS, DEFAULT_CHAPTER, find_chapter
from cli.demo.home import MARKER, fresh_home
from cli.home_lock import holding_home
from feedback.errors import HomeError, HomeInUse, UsageError
from feedback.settings.home import load_settings
from feedback.subjects import load_or_create_key
from server.public_key import has_public_key, is_loopback
from tests.cli.test_commands import heed, is_one_clear_line


def test_a_fresh_home_keeps_downloads_alone_and_has_the_public_key(tmp_path: Path) -> None:
    (tmp_path / MARKER).touch()
    (tmp_path / "cache").mkdir()
    (tmp_path / "lake").mkdir()
    (tmp_path / "online.db").touch()
    (tmp_path / "heed.toml").write_text("port = 9999")

    settings = fresh_home(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == [MARKER, "cache", "keys"]
    assert settings.http.port == load_settings(tmp_path).http.port != 9999
    assert has_public_key(settings.paths.subject_key_file)
    assert len(load_or_create_key(settings.paths.subject_key_file)) == 32


def test_a_home_that_is_not_the_demos_or_runs_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious").touch()
    with pytest.raises(HomeError, match="was not made by a demo"):
        fresh_home(tmp_path / "mine")

    settings = fresh_home(tmp_path / "demo")
    with holding_home(settings.paths), pytest.raises(HomeInUse):
        fresh_home(tmp_path / "demo")
    assert has_public_key(settings.paths.subject_key_file)


def test_a_home_of_ones_own_has_no_public_key(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    assert not has_public_key(settings.paths.subject_key_file)
    load_or_create_key(settings.paths.subject_key_file)
    assert not has_public_key(settings.paths.subject_key_file)


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (("up", "--host", "0.0.0.0"), {}),
        (("serve", "--host", "::"), {}),
        (("up",), {"HEED_HOST": "192.0.2.1"}),
        (("serve",), {"HEED_HOST": "shop.example"}),
    ],
    ids=["up", "serve", "up by setting", "serve by name"],
)
def test_the_demos_home_is_not_served_beyond_this_machine(
    tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    settings = fresh_home(tmp_path)
    (tmp_path / MARKER).unlink()  # the key counts, not who made the home

    done = heed(*arguments, home=tmp_path, **environment)

    assert done.returncode == 1
    assert is_one_clear_line(done, "its pseudonym key is public"), done.stderr
    assert "--home DIR" in done.stderr
    assert not settings.paths.api_keys_file.exists()


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.0.1", True), ("::1", True), ("[::1]", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("localhost.example", False), ("", False)],
)  # fmt: skip
def test_which_hosts_are_this_machine_alone(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_chapters_are_found_by_name_and_named_where_one_is_not(tmp_path: Path) -> None:
    assert DEFAULT_CHAPTER in CHAPTERS
    assert all(callable(find_chapter(name)) for name in CHAPTERS)
    with pytest.raises(UsageError, match="there are: loop"):
        find_chapter("looop")

    assert all(name in heed("demo", "--help", home=tmp_path).stdout for name in CHAPTERS)
    assert heed("demo", "looop", home=tmp_path / "home").returncode == 2
    assert not (tmp_path / "home").exists()
