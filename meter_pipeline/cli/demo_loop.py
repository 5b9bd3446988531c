"""One round of the loop on drawn photos: decide, promote, train again, and what that changed."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from meter_pipeline.cli.demo import drawn, drop, job
from meter_pipeline.demo.drawn_reviewer import review_clusters
from meter_pipeline.demo.round_score import DropScore, score_drop
from meter_pipeline.storage.layout import Layout


def run_loop(size: str, *, console: Console) -> None:
    """Play one round: train, drop, decide on the clusters as they were drawn, train again, drop once more.

    Args:
        size: small, demo or full.
        console: where progress and results go.

    Raises:
        MeterError: the data directory holds photos that are not drawn ones, or a run failed.
    """
    started = time.monotonic()
    with drawn(size, console) as (layout, sample, _):
        first, second = sample.workbooks
        job("train", "Train, evaluate, take the model into use", console)
        north = drop(first, layout, console)
        console.rule("[bold]Review: a reviewer who knows what was drawn decides on each cluster", align="left")
        reviewed = review_clusters(layout, sample.truth)
        console.print(
            f"{reviewed.decisions} decisions: {reviewed.named} photos named as {', '.join(reviewed.classes)}; "
            f"{reviewed.junk} called junk."
        )
        before = score_drop(layout, sample.truth, north, taught=reviewed.classes)
        job("train", "Promote what was named, train again, pass the gate", console)
        _show_verdict(layout, console)
        east = drop(second, layout, console)
        after = [score_drop(layout, sample.truth, name, taught=reviewed.classes) for name in (north, east)]
        _show_round([before, *after], [f"{north}, before", f"{north}, after", f"{east}, never seen"], console)
        console.print(f"\nDone in {time.monotonic() - started:.0f} s.")


def _show_verdict(layout: Layout, console: Console) -> None:
    from meter_pipeline.recognition.model_card import load_card

    card = load_card(layout)
    console.print(f"In use: {card.version}, which knows {len(card.classes)} classes.")


def _show_round(scores: Sequence[DropScore], titles: Sequence[str], console: Console) -> None:
    figures = {
        "new_right": "designs taught in the review: named rightly",
        "new_wrong": "designs taught in the review: named wrongly",
        "known_right": "designs known from the start: named rightly",
        "unseen_unknown": "designs never taught: UNKNOWN",
        "junk_unknown": "junk: UNKNOWN or DARK",
    }
    table = Table("share of the photos", *titles, title="One round")
    for name, title in figures.items():
        values = [getattr(score, name) for score in scores]
        table.add_row(title, *("-" if value is None else f"{value:.0%}" for value in values))
    console.print(table)
