"""The demo's data: MovieLens 100k out of a package's example files, read at run time and never stored in Heed.

F. M. Harper and J. A. Konstan, The MovieLens Datasets, 2015; for research and trying out. Without a package index the
1,501 ratings that ship inside pyspark stand in.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import io
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PACKAGE = "recbole==1.2.1"
WHEEL = "recbole-1.2.1-py3-none-any.whl"
SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
FOLDER = "recbole/dataset_example/ml-100k/ml-100k"
FALLBACK = "data/mllib/als/sample_movielens_ratings.txt"
DOWNLOAD_SECONDS = 120


@dataclass(frozen=True, slots=True)
class DemoData:
    """Ratings and films as events of the contract."""

    name: str
    ratings: list[dict[str, Any]]
    items: list[dict[str, Any]]


def load_demo_data(cache: Path, *, small: bool = False) -> DemoData:
    """MovieLens 100k, downloaded on first use; the small set where it cannot be had or is asked for."""
    if not small:
        wheel = _wheel(cache)
        if wheel is not None:
            return _movielens(wheel)
    return _sample()


def _wheel(cache: Path) -> Path | None:
    path = cache / WHEEL
    if not _intact(path):
        path.unlink(missing_ok=True)
        cache.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += ["--disable-pip-version-check", "--retries", "1", "--dest", str(cache), PACKAGE]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=DOWNLOAD_SECONDS)
        except (subprocess.SubprocessError, OSError):
            return None
    return path if _intact(path) else None


def _intact(path: Path) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == SHA256


def _movielens(wheel: Path) -> DemoData:
    with zipfile.ZipFile(wheel) as archive:
        ratings = [
            _rating(user, item, float(value), int(float(at)), scale=(1, 5))
            for user, item, value, at in _rows(archive, f"{FOLDER}.inter")
        ]
        items = [
            {"kind": "item", "item_id": item, "title": f"{title} ({year})" if year else title,
             "categories": genres.split(), "source": "movielens"}
            for item, title, year, genres in _rows(archive, f"{FOLDER}.item")
        ]  # fmt: skip
    return DemoData("MovieLens 100k", ratings, items)


def _rows(archive: zipfile.ZipFile, name: str) -> list[list[str]]:
    with archive.open(name) as file:
        rows = list(csv.reader(io.TextIOWrapper(file, "utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE))
    return [[*row, "", "", ""][:4] for row in rows[1:]]


def _sample() -> DemoData:
    spec = importlib.util.find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    lines = (Path(spec.origin).parent / FALLBACK).read_text(encoding="utf-8").splitlines()
    cells = [line.split("::") for line in lines if line.strip()]
    ratings = [_rating(u, i, float(v), int(at) + n, scale=(1, 5)) for n, (u, i, v, at) in enumerate(cells)]
    films = sorted({i for _, i, _, _ in cells}, key=int)
    items = [
        {"kind": "item", "item_id": i, "title": f"Film {i}", "categories": [], "source": "movielens"} for i in films
    ]
    return DemoData("the 1,501 ratings inside pyspark", ratings, items)


def _rating(user: str, item: str, value: float, at: int, *, scale: tuple[int, int]) -> dict[str, Any]:
    return {
        "kind": "rating", "user_id": user, "item_id": item, "value": value, "scale": list(scale),
        "occurred_at": datetime.fromtimestamp(at, UTC), "source": "movielens",
    }  # fmt: skip
