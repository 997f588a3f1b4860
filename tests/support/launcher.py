"""The launcher over the environment that runs the tests, and over small checkouts of its own."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from feedback.settings.source import ROOT

EVIL_MODULES = ("cli", "feedback", "models", "lakehouse", "json", "venv", "pip", "msgspec", "supervisor", "dagster")


def environment_of_tests(folder: Path) -> Path:
    """The running environment under another name, stamped with this checkout's locks: the launcher builds nothing."""
    folder.mkdir()
    for path in Path(sys.prefix).iterdir():
        if not path.name.startswith(".heed-lock"):
            (folder / path.name).symlink_to(path)
    shutil.copy(ROOT / "requirements.lock", folder / ".heed-lock")
    shutil.copy(ROOT / "requirements-dev.lock", folder / ".heed-lock-dev")
    return folder


def evil_folder(folder: Path) -> Path:
    """A folder whose modules and packages end whoever imports them."""
    folder.mkdir()
    for number, name in enumerate(EVIL_MODULES):
        path = folder / name / "__init__.py" if number % 2 == 0 else folder / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"import os\nos.write(2, b'{name} of the current directory ran')\nos._exit(66)\n")
    return folder


def find_uv() -> str | None:
    """The uv that built the environment of the tests, or that of the machine."""
    places = [os.environ.get("HEED_UV"), shutil.which("uv")]
    places += [str(ROOT / ".heed-env" / "bin" / "uv"), f"{sys.prefix}.setup/bin/uv"]
    return next((place for place in places if place and os.access(place, os.X_OK)), None)


class Checkout:
    """A small checkout: the launcher, a command line that tells what it sees, and two locks of local wheels."""

    def __init__(self, folder: Path, uv: str) -> None:
        self.folder = folder
        self.wheels = folder.parent / "wheels"
        self.env = folder / ".venv"
        self._uv = uv
        (folder / "cli").mkdir(parents=True)
        shutil.copy(ROOT / "heed", folder / "heed")
        (folder / "cli" / "__init__.py").write_text("")
        (folder / "cli" / "__main__.py").write_text(
            "import importlib.metadata, sys\n"
            "print(*sorted(d.name + d.version for d in importlib.metadata.distributions()), sys.prefix)\n"
        )
        self.write_locks(product=["thing 1"], tools=["tool 1"])

    def write_locks(self, *, product: list[str], tools: list[str], comment: str = "") -> None:
        """Both locks, each package as `name version`."""
        lines = [self._line(*package.split()) for package in product]
        more = [self._line(*package.split()) for package in tools]
        (self.folder / "requirements.lock").write_text(f"# lock {comment}\n" + "".join(lines))
        (self.folder / "requirements-dev.lock").write_text(f"# with tools {comment}\n" + "".join(lines + more))

    def make_environment(self, folder: Path | None = None) -> None:
        """An environment without any package, as the launcher finds it before the first set-up is over."""
        command = [self._uv, "--no-config", "venv", "--quiet", "--python", sys.executable, str(folder or self.env)]
        subprocess.run(command, check=True)

    def run(self, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """The launcher, as a person calls it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEED_", "PYTHON"))}
        given = {**kept, "HEED_UV": self._uv, "HEED_PYTHON": sys.executable, **environment}
        command = [str(self.folder / "heed"), *arguments]
        return subprocess.run(command, cwd=cwd or self.folder, env=given, capture_output=True, text=True, timeout=120)

    def _line(self, name: str, version: str) -> str:
        self.wheels.mkdir(exist_ok=True)
        path = self.wheels / f"{name}-{version}-py3-none-any.whl"
        if not path.exists():
            _write_wheel(path, name, version)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return f"{name} @ {path.as_uri()} \\\n    --hash=sha256:{digest}\n    # via heed\n"


def _write_wheel(path: Path, name: str, version: str) -> None:
    folder = f"{name}-{version}.dist-info"
    files = {
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{folder}/WHEEL": "Wheel-Version: 1.0\nGenerator: heed\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{file},sha256={digest},{len(text)}\n"
            wheel.writestr(zipfile.ZipInfo(file, (2020, 1, 1, 0, 0, 0)), text)
        wheel.writestr(zipfile.ZipInfo(f"{folder}/RECORD", (2020, 1, 1, 0, 0, 0)), f"{record}{folder}/RECORD,,\n")
