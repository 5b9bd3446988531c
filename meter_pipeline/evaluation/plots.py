"""The pictures of an evaluation as PNG bytes, for light and for dark pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import MaxNLocator

from meter_pipeline.evaluation.figures import Evaluation
from meter_pipeline.evaluation.plot_style import (
    LIGHT,
    Theme,
    add_legend,
    add_legend_above,
    dress,
    empty_figure,
    figure_of_one,
    png,
    short_name,
    show_percent,
)
from meter_pipeline.evaluation.unknown_curves import UnknownCurve
from meter_pipeline.labels import Split

CLASSES_SHOWN = 90
"""Classes of a confusion matrix picture; of more, those with the most errors are shown (the CSV has all)."""
CLASSES_WITH_COUNTS = 64
"""Up to this many classes, counts fit into the cells."""
WEAKEST_CELL = 0.25
"""Strength of colour of a cell with hardly any share of its row."""
DARK_CELL = 0.5
"""Share of a row from which on a cell's colour is so strong that its number needs the background's colour."""
MARKED_LIMIT = 0.05
"""Share of known photos sent to UNKNOWN that the UNKNOWN curves mark: what the guard may flag by default."""
MATRIX_INCHES = 11.0
"""Width of the confusion matrix, as long as its cells stay large enough to read."""


def confusion_matrix_png(evaluation: Evaluation, theme: Theme = LIGHT) -> bytes:
    """Draw the confusion matrix: colour is the share of the true class's photos, the number is photos.

    Classes without test photos have an empty row, marked as such.
    """
    counts = _shown_classes(evaluation.confusion)
    names = [short_name(name) for name in counts.index]
    values = counts.to_numpy(np.float64)
    totals = values.sum(axis=1)
    shares = values / np.maximum(totals, 1)[:, None]
    size = len(names)
    cell = float(np.clip(MATRIX_INCHES / max(size, 1), 0.22, 0.62))
    figure, axes = figure_of_one(max(cell * size, 2.4), max(cell * size, 2.4), theme)
    axes.imshow(_cell_colours(values, shares, theme), aspect="equal", interpolation="nearest")
    axes.set_xticks(range(size), names, rotation=90, fontsize=_tick_size(cell), parse_math=False)
    axes.set_yticks(
        range(size),
        [
            f"{name}  ({int(total)})" if total else f"{name}  (no test)"
            for name, total in zip(names, totals, strict=True)
        ],
        fontsize=_tick_size(cell),
        parse_math=False,
    )
    axes.grid(visible=False, which="major")
    axes.set_xticks(np.arange(-0.5, size), minor=True)
    axes.set_yticks(np.arange(-0.5, size), minor=True)
    axes.grid(which="minor", color=theme.grid, linewidth=0.5)
    axes.tick_params(which="both", length=0)
    if size <= CLASSES_WITH_COUNTS:
        _write_counts(axes, values, shares, cell, theme)
    axes.set_xlabel("predicted class", labelpad=10)
    axes.set_ylabel("true class (test photos)", labelpad=10)
    if len(counts) < len(evaluation.confusion):
        axes.set_title(f"the {size} of {len(evaluation.confusion)} classes with the most errors", fontsize=9)
    return png(figure)


def reliability_png(evaluation: Evaluation, theme: Theme = LIGHT) -> bytes:
    """Draw accuracy against confidence by bins, and how many photos each bin holds."""
    table = evaluation.reliability[evaluation.reliability["count"] > 0]
    figure = empty_figure(5.4, 4.8, theme)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3.4, 1], gridspec_kw={"hspace": 0.12})
    for axes in (upper, lower):
        dress(axes, theme)
    width, middle = table["high"] - table["low"], (table["low"] + table["high"]) / 2
    upper.bar(middle, table["accuracy"], width * 0.92, color=theme.first, label="accuracy", zorder=2)
    bottom = np.minimum(table["accuracy"], table["confidence"])
    upper.bar(
        middle,
        table["gap"].abs(),
        width * 0.92,
        bottom=bottom,
        facecolor="none",
        edgecolor=theme.wrong,
        hatch="////",
        linewidth=0.8,
        label="gap to the confidence",
        zorder=3,
    )
    upper.plot([0, 1], [0, 1], color=theme.muted, linestyle="--", linewidth=1, label="perfect", zorder=4)
    upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    show_percent(upper, "y")
    add_legend_above(upper, theme)
    lower.bar(middle, table["count"], width * 0.92, color=theme.muted, zorder=2)
    lower.set(xlabel="confidence (top-1 softmax)", ylabel="photos")
    lower.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    show_percent(lower, "x")
    return png(figure)


def coverage_png(evaluation: Evaluation, theme: Theme = LIGHT) -> bytes:
    """Draw the accuracy of what is answered against the share answered, and mark the UNKNOWN threshold."""
    table = evaluation.coverage
    figure, axes = figure_of_one(5.4, 3.8, theme)
    axes.plot(table["coverage"], table["accuracy"], color=theme.first, linewidth=2, drawstyle="steps-post", zorder=3)
    accepted = table[table["threshold"] >= evaluation.unknown_threshold]
    if len(accepted):
        here = accepted.iloc[-1]
        axes.plot([here["coverage"]], [here["accuracy"]], "o", color=theme.second, markersize=8, zorder=4)
        right = here["coverage"] > 0.5
        axes.annotate(
            f"at the threshold {evaluation.unknown_threshold:.0%}: {here['coverage']:.1%} answered,\n"
            f"{here['accuracy']:.1%} of them right",
            (here["coverage"], here["accuracy"]),
            xytext=(-12 if right else 12, -34),
            textcoords="offset points",
            ha="right" if right else "left",
            va="top",
            fontsize=9,
            color=theme.text,
            arrowprops={"arrowstyle": "-", "color": theme.muted, "shrinkB": 5},
        )
    lowest = float(table["accuracy"].min()) if len(table) else 0.0
    axes.set(xlabel="coverage (share of the test photos answered)", ylabel="accuracy of the answered", xlim=(0, 1.02))
    axes.set_ylim(max(0.0, min(lowest - 0.1, 0.75)), 1.01)
    show_percent(axes, "both")
    return png(figure)


def known_flagged_png(evaluation: Evaluation, theme: Theme = LIGHT) -> bytes:
    """Draw what each threshold sends to UNKNOWN of the known test photos: all, those named right, those named wrong."""
    table = evaluation.known_flagged
    figure, axes = figure_of_one(5.4, 3.8, theme)
    lines = (
        ("wrong_flagged", "wrongly named (good to catch)", theme.wrong, "-"),
        ("known_flagged", "all known photos", theme.muted, "--"),
        ("right_flagged", "rightly named (lost to review)", theme.first, "-"),
    )
    for column, label, colour, style in lines:
        if table[column].notna().any():
            axes.plot(table["threshold"], table[column], color=colour, linestyle=style, linewidth=2, label=label)
    axes.axvline(evaluation.unknown_threshold, color=theme.second, linewidth=1.2, label="the threshold in use")
    axes.set(xlabel="UNKNOWN threshold (top-1 softmax)", ylabel="sent to UNKNOWN", xlim=(0, 1), ylim=(0, 1.02))
    show_percent(axes, "both")
    add_legend(axes, theme, loc="upper left")
    return png(figure)


def unknown_curves_png(curves: Mapping[str, UnknownCurve], theme: Theme = LIGHT) -> bytes:
    """Draw the share of other photos caught against that of known photos flagged, one line for each kind of photo."""
    figure, axes = figure_of_one(5.4, 3.8, theme)
    colours = (theme.first, theme.second, theme.wrong, theme.muted)
    for number, name in enumerate(sorted(curves)):
        curve = curves[name]
        label = f"{short_name(name)} (AUROC {curve.auroc:.2f}, {curve.n_other} photos)"
        axes.plot(
            curve.curve["known_flagged"],
            curve.curve["caught"],
            color=colours[number % len(colours)],
            linewidth=2,
            drawstyle="steps-post",
            label=label,
        )
    axes.plot([0, 1], [0, 1], color=theme.muted, linestyle="--", linewidth=1)
    axes.axvline(MARKED_LIMIT, color=theme.muted, linewidth=0.8, linestyle=":")
    axes.set(xlabel="known photos sent to UNKNOWN", ylabel="caught", xlim=(0, 1), ylim=(0, 1.02))
    show_percent(axes, "both")
    add_legend(axes, theme, loc="lower right")
    return png(figure)


def history_png(history: pd.DataFrame | Sequence[Mapping[str, Any]], theme: Theme = LIGHT) -> bytes:
    """Draw loss and accuracy by epoch, train and val, with the phases marked.

    Args:
        history: one row per epoch, in order: `phase`, `epoch`, `train_loss`, `train_accuracy`, `val_loss`,
            `val_accuracy` (the last two NaN or absent where there is no val set).
        theme: colours.
    """
    frame = pd.DataFrame(list(history) if not isinstance(history, pd.DataFrame) else history)
    steps = np.arange(1, len(frame) + 1)
    figure = empty_figure(9.2, 3.6, theme)
    for axes, measure in zip(figure.subplots(1, 2, gridspec_kw={"wspace": 0.22}), ("loss", "accuracy"), strict=True):
        dress(axes, theme)
        for part, colour in ((Split.TRAIN, theme.first), (Split.VAL, theme.second)):
            values = pd.to_numeric(frame.get(f"{part}_{measure}", pd.Series(np.nan, index=frame.index)))
            if values.notna().any():
                axes.plot(steps, values, color=colour, linewidth=2, marker="o", markersize=3.5, label=part)
        axes.set(xlabel="epoch", ylabel=measure, xlim=(0.5, len(frame) + 0.5))
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
        if measure == "accuracy":
            axes.set_ylim(top=1.02)
            show_percent(axes, "y")
        else:
            axes.set_ylim(bottom=0)
        _mark_phases(axes, frame, theme)
        if axes.get_legend_handles_labels()[0]:
            add_legend(axes, theme, loc="best")
    return png(figure)


def split_counts_png(counts: pd.DataFrame, theme: Theme = LIGHT) -> bytes:
    """Draw the number of photos of each class, stacked by split, the largest class on top.

    Args:
        counts: from `split_counts`: class (index) x train, val, test.
        theme: colours.
    """
    totals = counts.sum(axis=1)
    ordered = counts.loc[totals.sort_values(kind="stable").index]
    places = np.arange(len(ordered))
    figure, axes = figure_of_one(6.4, max(0.24 * len(ordered) + 0.6, 1.4), theme)
    left = np.zeros(len(ordered))
    for part, colour in ((Split.TRAIN, theme.first), (Split.VAL, theme.muted), (Split.TEST, theme.second)):
        values = ordered[part].to_numpy(np.float64)
        axes.barh(places, values, left=left, height=0.72, color=colour, label=part, zorder=2)
        left += values
    for place, total in zip(places, left, strict=True):
        axes.text(float(total), float(place), f" {int(total)}", va="center", ha="left", fontsize=8, color=theme.muted)
    axes.set_yticks(places, [short_name(name) for name in ordered.index], fontsize=8, parse_math=False)
    axes.set(xlabel="photos", ylim=(-0.6, len(ordered) - 0.4), xlim=(0, max(float(left.max(initial=0)) * 1.08, 1)))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    add_legend_above(axes, theme)
    return png(figure)


def _write_counts(axes: Axes, counts: np.ndarray, shares: np.ndarray, cell: float, theme: Theme) -> None:
    """Write each number of photos into its cell, of this size in inches; wrong ones are bold."""
    for row, column in np.argwhere(counts > 0):
        axes.text(
            column,
            row,
            f"{int(counts[row, column])}",
            ha="center",
            va="center",
            color=theme.background if shares[row, column] > DARK_CELL else theme.text,
            fontsize=_count_size(cell, int(counts[row, column])),
            fontweight="normal" if row == column else "bold",
        )


def _cell_colours(counts: np.ndarray, shares: np.ndarray, theme: Theme) -> np.ndarray:
    """Return the RGB of each cell: from the background to blue where right, to red where wrong; one photo shows."""
    right, wrong, ground = (np.array(to_rgb(colour)) for colour in (theme.high, theme.wrong, theme.background))
    target = np.where(np.eye(len(counts), dtype=bool)[:, :, None], right, wrong)
    strength = np.where(counts > 0, WEAKEST_CELL + (1 - WEAKEST_CELL) * shares, 0.0)[:, :, None]
    return ground + (target - ground) * strength


def _shown_classes(confusion: pd.DataFrame) -> pd.DataFrame:
    if len(confusion) <= CLASSES_SHOWN:
        return confusion
    counts = confusion.to_numpy()
    errors = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diag(counts)
    kept = np.sort(np.argsort(-errors, kind="stable")[:CLASSES_SHOWN])
    return confusion.iloc[kept, kept]


def _mark_phases(axes: Axes, frame: pd.DataFrame, theme: Theme) -> None:
    if "phase" not in frame:
        return
    phases = frame["phase"].astype(str)
    starts = np.flatnonzero(phases.ne(phases.shift()).to_numpy())
    for start in starts:
        if start:
            axes.axvline(start + 0.5, color=theme.muted, linewidth=0.8, linestyle=":")
        axes.annotate(
            short_name(phases.iloc[start]),
            (start + 0.5, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3, 3),
            textcoords="offset points",
            fontsize=8,
            color=theme.muted,
            parse_math=False,
        )


def _tick_size(cell: float) -> float:
    return float(np.clip(cell * 20, 6.5, 10))


def _count_size(cell: float, count: int) -> float:
    return float(np.clip(cell * 44 / max(len(str(count)), 2), 4.5, 10))
