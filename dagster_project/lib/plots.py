"""Plots for Dagster's pages: PNG pictures inside Markdown, drawn without a display."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIKED, DISLIKED, QUIET = "#2f6f4f", "#b5483a", "#8a8f98"


def preference_histogram(preferences: npt.NDArray[np.float64]) -> str:
    """How the signed preferences are spread, dislikes and likes in their colours."""
    figure, axes = _figure(width=6.0, height=2.2)
    counts, edges = np.histogram(preferences, bins=np.linspace(-1.0, 1.0, 22))
    middles = (edges[:-1] + edges[1:]) / 2
    colours = [DISLIKED if middle < -1e-9 else LIKED if middle > 1e-9 else QUIET for middle in middles]
    axes.bar(middles, counts, width=0.085, color=colours)
    axes.set_xlabel("signed preference")
    axes.set_ylabel("interactions")
    return _markdown(figure, "how preferences are spread")


def comparison(figures: Mapping[str, Mapping[str, float]], metrics: Sequence[str], *, title: str) -> str:
    """The recommenders side by side: one small chart per metric, one bar per recommender."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.6 * len(metrics), 0.5 + 0.38 * len(figures)), layout="constrained", dpi=110)
    names = list(figures)[::-1]
    for place, metric in enumerate(metrics):
        axes = figure.add_subplot(1, len(metrics), place + 1)
        values = [figures[name].get(metric, float("nan")) for name in names]
        colour = DISLIKED if metric == "disliked" else LIKED
        bars = axes.barh(names, values, color=colour)
        axes.bar_label(bars, fmt="%.3f", padding=2, fontsize=7)
        axes.set_title(metric, fontsize=9)
        axes.margins(x=0.25)
        axes.tick_params(labelsize=8, labelleft=place == 0)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=10)
    return _markdown(figure, title)


def _figure(*, width: float, height: float) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=110)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _markdown(figure: Figure, alternative: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return f"![{alternative}](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})"
