"""The folder of Heed's own code, for child processes and for files that are shipped with it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds every package of Heed."""
