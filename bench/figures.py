"""One figure of a benchmark, as `heed bench NAME --json` prints it."""

from __future__ import annotations

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A measured value, its unit, its bar in words, and whether it holds."""

    figure: str
    value: float
    unit: str
    bar: str
    holds: bool


def at_least(figure: str, value: float, bar: float, *, unit: str = "") -> Figure:
    """A figure that must reach its bar."""
    return Figure(figure=figure, value=value, unit=unit, bar=f">= {bar:g}", holds=value >= bar)


def below(figure: str, value: float, bar: float, *, unit: str = "") -> Figure:
    """A figure that must stay under its bar."""
    return Figure(figure=figure, value=value, unit=unit, bar=f"< {bar:g}", holds=value < bar)


def exactly(figure: str, value: float, bar: float = 0, *, unit: str = "") -> Figure:
    """A figure that must be its bar, neither more nor less."""
    return Figure(figure=figure, value=value, unit=unit, bar=f"= {bar:g}", holds=value == bar)


def reported(figure: str, value: float, *, unit: str = "") -> Figure:
    """A figure without a bar."""
    return Figure(figure=figure, value=value, unit=unit, bar="reported", holds=True)
