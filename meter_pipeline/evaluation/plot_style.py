"""How the pictures of an evaluation look: colours for light and dark pages, fonts of every script, axes and legends."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Literal

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

DOTS_PER_INCH = 144
"""Twice what a browser takes for an inch of a figure at 72, so that it is sharp on dense screens."""
NAME_LENGTH = 40
"""Characters of a class name that a picture shows; a longer one loses its middle."""
FONTS = (
    "DejaVu Sans",
    "Noto Sans",
    "Noto Sans Devanagari",
    "Noto Sans Oriya",
    "Noto Sans Thai",
    "Noto Sans Arabic",
    "Noto Sans CJK SC",
    "Nirmala UI",
    "Leelawadee UI",
    "Microsoft YaHei",
    "Segoe UI",
    "Arial Unicode MS",
)
"""Tried in turn for each letter, where installed: class names come in every script."""


@dataclass(frozen=True)
class Theme:
    """Colours of a picture, as in the page around it."""

    background: str
    text: str
    muted: str
    grid: str
    first: str
    second: str
    wrong: str
    high: str


LIGHT = Theme("#ffffff", "#1c2430", "#667085", "#e4e7ec", "#1f5fbf", "#d97706", "#c0362c", "#123f86")
DARK = Theme("#171c24", "#e6e9ee", "#98a2b3", "#2d3542", "#7ab0ff", "#f2b04a", "#ff8a7a", "#8fbcff")


def empty_figure(width: float, height: float, theme: Theme) -> Figure:
    """Return a figure of this size in inches, without axes."""
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, facecolor=theme.background)
    FigureCanvasAgg(figure)
    return figure


def figure_of_one(width: float, height: float, theme: Theme) -> tuple[Figure, Axes]:
    """Return a figure whose axes (not the figure) have this size in inches; what sticks out is kept by `png`."""
    figure = empty_figure(width, height, theme)
    axes = figure.add_axes((0, 0, 1, 1))
    dress(axes, theme)
    return figure, axes


def dress(axes: Axes, theme: Theme) -> None:
    """Give axes the colours, the grid and the font sizes of all pictures."""
    axes.set_facecolor(theme.background)
    axes.set_axisbelow(True)
    axes.grid(visible=True, color=theme.grid, linewidth=0.8)
    axes.tick_params(colors=theme.muted, labelcolor=theme.text, labelsize=9, length=3)
    for side in axes.spines.values():
        side.set_color(theme.grid)
    for label in (axes.xaxis.label, axes.yaxis.label, axes.title):
        label.set_color(theme.text)
        label.set_fontsize(10)


def add_legend(axes: Axes, theme: Theme, *, loc: Literal["best", "upper left", "lower right"]) -> None:
    """Add a legend inside the axes."""
    legend = axes.legend(
        loc=loc, fontsize=8.5, facecolor=theme.background, edgecolor=theme.grid, labelcolor=theme.text, framealpha=0.9
    )
    legend.set_zorder(6)
    for text in legend.get_texts():
        text.set_parse_math(False)


def add_legend_above(axes: Axes, theme: Theme) -> None:
    """Add a legend above the axes, in one line."""
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=3,
        fontsize=8.5,
        frameon=False,
        labelcolor=theme.text,
        borderpad=0,
    )


def show_percent(axes: Axes, which: Literal["x", "y", "both"]) -> None:
    """Label an axis of shares (0 to 1) in percent."""
    for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        if which in (name, "both"):
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def short_name(text: object) -> str:
    """Return a class name on one line, without its middle where it is longer than `NAME_LENGTH`."""
    name = " ".join(str(text).split())
    half = NAME_LENGTH // 2
    return name if len(name) <= NAME_LENGTH else f"{name[: half - 1]}…{name[-half:]}"


def png(figure: Figure) -> bytes:
    """Render with whatever sticks out of the axes, so that no name is cut off; no dates or versions inside."""
    families = _installed_fonts()
    for text in figure.findobj(match=lambda artist: hasattr(artist, "set_fontfamily")):
        text.set_fontfamily(families)  # type: ignore[attr-defined]
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")  # drawn as a box; the CSV has it
        figure.savefig(content, format="png", bbox_inches="tight", pad_inches=0.12, metadata={"Software": None})
    return content.getvalue()


def _installed_fonts() -> list[str]:
    installed = set(font_manager.get_font_names())
    return [name for name in FONTS if name in installed]
