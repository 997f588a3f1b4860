"""The two locks of the environment: what the product needs, and that with the test tools."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PRODUCT = "requirements.lock"
DEVELOPMENT = "requirements-dev.lock"
EXTRA = "dev"

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)")
_HOST = re.compile(r"https?://|--(?:extra-)?index-url|--find-links")

Pins = dict[str, tuple[str, ...]]
"""By package: each pinned version with its marker and hashes, as lines of the lock."""


def lock_faults(pyproject: str, product: str, development: str) -> list[str]:
    """What is wrong with the locks, in sentences; nothing where both are current.

    Args:
        pyproject: The text of pyproject.toml.
        product: The text of requirements.lock.
        development: The text of requirements-dev.lock.
    """
    project = tomllib.loads(pyproject)["project"]
    needed, tools = project["dependencies"], project["optional-dependencies"][EXTRA]
    locks = {PRODUCT: read_pins(product), DEVELOPMENT: read_pins(development)}
    faults = [f for name, pins in locks.items() for f in _unmet(name, pins, needed)]
    faults += _unmet(DEVELOPMENT, locks[DEVELOPMENT], tools)
    for package, lines in locks[PRODUCT].items():
        if locks[DEVELOPMENT].get(package) != lines:
            faults.append(f"{DEVELOPMENT} holds another {package} than {PRODUCT}")
    for name, text in ((PRODUCT, product), (DEVELOPMENT, development)):
        if _HOST.search(text):
            faults.append(f"{name} names a package index")
    return faults


def read_pins(lock: str) -> Pins:
    """The pinned packages of a lock; comments are left out."""
    pins: Pins = {}
    package = ""
    for line in lock.splitlines():
        if line.lstrip().startswith("#"):
            continue
        if found := _PIN.match(line):
            package = canonicalize_name(found[1])
        pins[package] = (*pins.get(package, ()), line.strip())
    return pins


def _unmet(name: str, pins: Pins, wanted: list[str]) -> Iterator[str]:
    for text in wanted:
        requirement = Requirement(text)
        lines = pins.get(canonicalize_name(requirement.name), ())
        versions = [found[2] for line in lines if (found := _PIN.match(line))]
        if not versions or not all(requirement.specifier.contains(v, prereleases=True) for v in versions):
            yield f"{name} holds {requirement.name} {', '.join(versions) or 'not at all'}, pyproject.toml wants {text}"
