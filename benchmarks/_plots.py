"""Figures as drawings: lines over a measured quantity, bars, or boxes, in panels, as SVG.

What every benchmark needs and no more: a panel has lines, a line has points, axes may be
logarithmic; or there are bars, or boxes of the values of each round. Text stays text in the SVG, so
that it can be searched, and the same figures give the same file, so that a diff shows what changed.
matplotlib is of the development dependencies; it is imported when something is drawn.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
MARKERS = "osD^vPX"


@dataclass(frozen=True)
class Line:
    """One series: its ``name`` for the legend, and points from left to right."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Bars:
    """Rows of values under each other: one value is a bar, several are a box of how they lie."""

    title: str
    x: str
    rows: Sequence[tuple[str, Sequence[float]]]
    log_x: bool = False


@dataclass(frozen=True)
class Panel:
    """One diagram. ``x`` and ``y`` say what stands on the axes, with the unit; ``limit`` is drawn
    as a dashed line, for a target."""

    title: str
    x: str
    y: str
    lines: Sequence[Line]
    log_x: bool = False
    log_y: bool = False
    limit: float | None = None


def draw(path: Path, title: str, panels: Sequence[Panel]) -> None:
    """Write ``panels`` beside each other to the SVG file ``path``; the legend is of the first.

    Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(svg(title, panels), encoding="utf-8")


def svg(title: str, panels: Sequence[Panel]) -> str:
    """Return ``panels`` beside each other as an SVG document; the legend is of the first.

    That of a single panel stands beside it, where it hides no line.
    """
    pyplot = _pyplot()
    size = (4 * len(panels), 3.4) if len(panels) > 1 else (8, 3.4)
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=size, squeeze=False, layout="constrained"
    )
    figure.suptitle(title)
    for panel, axis in zip(panels, axes[0], strict=True):
        for number, line in enumerate(panel.lines):
            axis.plot(
                *zip(*line.points, strict=True),
                label=line.name,
                color=COLOURS[number % len(COLOURS)],
                marker=MARKERS[(number + number // len(COLOURS)) % len(MARKERS)],
                markersize=4,
                linewidth=1.2,
            )
        if panel.limit is not None:
            axis.axhline(panel.limit, color="#888888", linestyle="--", linewidth=1)
        axis.set(title=panel.title, xlabel=panel.x, ylabel=panel.y)
        axis.set_xscale("log" if panel.log_x else "linear")
        axis.set_yscale("log" if panel.log_y else "linear")
        axis.grid(visible=True, which="major", linewidth=0.3)
    if len(panels) > 1:
        axes[0][0].legend(fontsize=8)
    else:
        figure.legend(fontsize=8, loc="outside right upper")
    return _document(figure)


def svg_of_bars(bars: Bars) -> str:
    """Return rows of bars and boxes as an SVG document, the first on top."""
    figure, axis = _pyplot().subplots(
        figsize=(8, 0.6 + 0.26 * (len(bars.rows) + 1)), layout="constrained"
    )
    for at, (_, values) in enumerate(bars.rows):
        if len(values) == 1:
            axis.barh(at, values[0], height=0.6, color=COLOURS[0])
        else:
            axis.boxplot(
                values, positions=[at], orientation="horizontal", widths=0.6, manage_ticks=False
            )
    axis.set_yticks(range(len(bars.rows)), [name for name, _ in bars.rows])
    axis.set(title=bars.title, xlabel=bars.x)
    axis.set_xscale("log" if bars.log_x else "linear")
    axis.invert_yaxis()
    axis.grid(visible=True, axis="x", which="major", linewidth=0.3)
    return _document(figure)


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "magneto", "font.size": 9})
    from matplotlib import pyplot

    return pyplot


def _document(figure: Any) -> str:
    from matplotlib import pyplot

    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
    return text.getvalue()
