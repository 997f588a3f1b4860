"""The demo's home, made afresh each time."""

from __future__ import annotations

import shutil
from pathlib import Path

from cli.home_lock import holding_home
from feedback.errors import HomeError
from feedback.settings.home import Settings, ensure_home, load_settings
from server.public_key import PUBLIC_KEY

MARKER = ".heed-demo"
KEPT = ("cache", MARKER)


def fresh_home(home: Path) -> Settings:
    """Make the demo's home afresh; downloads are kept.

    Raises:
        HomeError: The folder holds something that no demo put there.
        HomeInUse: `heed up` runs on it.
    """
    if home.exists() and any(home.iterdir()) and not (home / MARKER).exists():
        raise HomeError(f"{home} is not empty and was not made by a demo; choose another folder with --home DIR")
    ensure_home(load_settings(home))
    with holding_home(load_settings(home).paths):
        for path in home.iterdir():
            if path.name not in KEPT:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    (home / MARKER).touch()
    settings = load_settings(home, spark_memory="2g")
    key_file = settings.paths.subject_key_file
    key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_file.touch(mode=0o600)
    key_file.write_text(PUBLIC_KEY, encoding="ascii")
    return settings
