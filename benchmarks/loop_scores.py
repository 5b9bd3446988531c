"""What a round changed: how photos of the drops are named before and after, and the table that `loop.py` prints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from meter_pipeline.labels import FinalLabel

NOT_NAMED = frozenset(FinalLabel)


@dataclass(frozen=True)
class Figure:
    """A row of the table.

    Attributes:
        name: of the figure, as the results have it.
        asked: what issue 17 asks for.
        higher_is_better: whether the worst split is the one with the lowest value; None: there is no worst.
        decimals: of a value in the table.
    """

    name: str
    asked: str = ""
    higher_is_better: bool | None = None
    decimals: int = 3

    def cell(self, value: float) -> str:
        """Return a value as the table has it; nothing where there is none."""
        return "" if math.isnan(value) else f"{value:.{self.decimals}f}"


OF_THE_ROUND = (
    Figure("decisions", decimals=1),
    Figure("photos named", decimals=1),
    Figure("photos called junk", decimals=1),
    Figure("photos that the reviewer erred on", decimals=1),
    Figure("photos named per decision", higher_is_better=True, decimals=1),
    Figure("photos named or junk per decision", higher_is_better=True, decimals=1),
    Figure("classes gained", higher_is_better=True, decimals=1),
    Figure("classes gained, of designs with 7 photos or more", higher_is_better=True, decimals=1),
    Figure("classes waiting", decimals=1),
    Figure("seconds of training", decimals=0),
    Figure("seconds of the updates", decimals=0),
)
"""Figures with one value: there is no before."""
SECOND_RIGHT, SECOND_WRONG = "second half of the classes gained: right", "second half of the classes gained: wrong"
KNOWN_RIGHT, KNOWN_CHANGE = "known right", "known right, change"
UNSEEN_BEFORE = "unseen caught, all designs unknown before"
BEFORE_AND_AFTER = (
    Figure(SECOND_RIGHT, "0.90", higher_is_better=True),
    Figure(SECOND_WRONG, "under 0.03", higher_is_better=False),
    Figure(KNOWN_RIGHT, higher_is_better=True),
    Figure(KNOWN_CHANGE, "-0.01 or more", higher_is_better=True),
    Figure("known sent to UNKNOWN", higher_is_better=False),
    Figure("known named as a class gained", higher_is_better=False),
    Figure(UNSEEN_BEFORE, higher_is_better=True),
    Figure("unseen caught, designs still unknown", higher_is_better=True),
    Figure("junk caught", higher_is_better=True),
)
COUNTED = (
    Figure("photos counted: second half of the classes gained", decimals=1),
    Figure("photos counted: known", decimals=1),
    Figure("photos counted: designs still unknown", decimals=1),
    Figure("photos counted: junk", decimals=1),
)
"""The photos behind these shares."""


def named(rows: pd.DataFrame, gained: Sequence[str]) -> dict[str, float]:
    """Return how the photos of both drops are named by one model, and how many there are.

    Args:
        rows: one row per photo, columns role, label, drop (1 or 2) and final_prediction; none of them was shown to a
            model that is compared.
        gained: classes that the model after the round knows and the first one did not.
    """
    final, label = rows["final_prediction"], rows["label"]
    known, unseen, junk = (rows["role"] == role for role in ("known", "unseen", "junk"))
    right, caught = final == label, final == FinalLabel.UNKNOWN
    second = unseen & label.isin(gained) & (rows["drop"] == 2)
    unknown = unseen & ~label.isin(gained)
    return {
        SECOND_RIGHT: right[second].mean(),
        SECOND_WRONG: (~right & ~final.isin(NOT_NAMED))[second].mean(),
        KNOWN_RIGHT: right[known].mean(),
        "known sent to UNKNOWN": caught[known].mean(),
        "known named as a class gained": final.isin(gained)[known].mean(),
        "unseen caught, designs still unknown": caught[unknown].mean(),
        "junk caught": caught[junk].mean(),
        "photos counted: second half of the classes gained": float(second.sum()),
        "photos counted: known": float(known.sum()),
        "photos counted: designs still unknown": float(unknown.sum()),
        "photos counted: junk": float(junk.sum()),
    }


def compared(before: pd.DataFrame, after: pd.DataFrame, gained: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the figures `before` and `after` of the photos that neither model was trained on.

    Args:
        before: as for `named`, as the model before the round names them.
        after: the same photos by the model after it.
        gained: as for `named`.
    """
    was, now = named(before, gained), named(after, gained)
    return {"before": was, "after": now | {KNOWN_CHANGE: now[KNOWN_RIGHT] - was[KNOWN_RIGHT]}}


def unseen_caught(rows: pd.DataFrame, classes: Sequence[str]) -> float:
    """Return the share of the photos of unseen designs that a model does not know which it sends to UNKNOWN.

    Args:
        rows: as for `named`, of both drops whole.
        classes: that the model knows.
    """
    unknown = (rows["role"] == "unseen") & ~rows["label"].isin(classes)
    return float((rows.loc[unknown, "final_prediction"] == FinalLabel.UNKNOWN).mean())


def by_class(rows: pd.DataFrame, gained: Sequence[str]) -> str:
    """Return how the second half of each class gained is named: right / photos, and what the wrong ones are called."""
    second, parts = rows[(rows["role"] == "unseen") & (rows["drop"] == 2)], []
    for label in gained:
        final = second.loc[second["label"] == label, "final_prediction"]
        wrong = [f"{count} {name}" for name, count in final[final != label].value_counts().items()]
        parts.append(f"{label} {(final == label).sum()}/{len(final)}" + (f" ({', '.join(wrong)})" if wrong else ""))
    return "; ".join(parts) or "none"


def table(title: str, splits: Mapping[int, Mapping[str, Mapping[str, float]]]) -> str:
    """Return the table of one reviewer as Markdown.

    Args:
        title: what was done.
        splits: by split, then `before`, `after` and `round`, figures by name.
    """
    lines = [
        f"| {title}, {len(splits)} split(s) | asked for | before, mean | mean | worst | "
        + " | ".join(f"split {split}" for split in splits)
        + " |",
        "|---" * (5 + len(splits)) + "|",
    ]
    for figures, part in ((OF_THE_ROUND, "round"), (COUNTED, "after")):
        for figure in figures:
            values = [found[part][figure.name] for found in splits.values()]
            lines.append(_line(figure, [], values, [f"{value:.1f}".removesuffix(".0") for value in values]))
    for figure in BEFORE_AND_AFTER:
        before, after = (
            [found[part].get(figure.name, math.nan) for found in splits.values()] for part in ("before", "after")
        )
        pairs = [[figure.cell(b), figure.cell(a)] for b, a in zip(before, after, strict=True)]
        cells = [" → ".join(cell for cell in pair if cell) for pair in pairs]
        lines.append(_line(figure, before, after, cells))
    return "\n".join(lines)


def _line(figure: Figure, before: Sequence[float], values: Sequence[float], cells: Sequence[str]) -> str:
    there, worst = [value for value in values if not math.isnan(value)], math.nan
    if there and figure.higher_is_better is not None:
        worst = min(there) if figure.higher_is_better else max(there)
    columns = [figure.cell(value) for value in (_mean(before), _mean(values), worst)]
    return f"| {figure.name} | {figure.asked} | {' | '.join([*columns, *cells])} |"


def _mean(values: Sequence[float]) -> float:
    """Return the mean of the values that there are."""
    there = [value for value in values if not math.isnan(value)]
    return sum(there) / len(there) if there else math.nan
