"""How often a test's subject calls something."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest


def counted_calls(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> list[None]:
    """Let a call through, and note it."""
    calls: list[None] = []
    real = getattr(module, name)

    def call(*arguments: Any, **named: Any) -> Any:
        calls.append(None)
        return real(*arguments, **named)

    monkeypatch.setattr(module, name, call)
    return calls
