"""Figures of a round, as the loop's benchmark prints them."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from benchmarks.loop_scores import (
    BEFORE_AND_AFTER,
    COUNTED,
    KNOWN_CHANGE,
    KNOWN_RIGHT,
    OF_THE_ROUND,
    SECOND_RIGHT,
    SECOND_WRONG,
    UNSEEN_BEFORE,
    by_class,
    compared,
    named,
    table,
    unseen_caught,
)

ROWS = pd.DataFrame(
    [
        ("known", "K", 1, "K"),
        ("known", "K", 2, "UNKNOWN"),
        ("known", "L", 2, "NEW"),
        ("known", "L", 1, "L"),
        ("unseen", "NEW", 1, "K"),  # of the first half: not counted among the second
        ("unseen", "NEW", 2, "NEW"),
        ("unseen", "NEW", 2, "NEW"),
        ("unseen", "NEW", 2, "K"),
        ("unseen", "NEW", 2, "DARK"),
        ("unseen", "RARE", 2, "UNKNOWN"),
        ("unseen", "RARE", 1, "NEW"),
        ("junk", "wall", 1, "UNKNOWN"),
    ],
    columns=["role", "label", "drop", "final_prediction"],
)


def test_figures_of_one_model() -> None:
    found = named(ROWS, ["NEW"])
    assert (found[SECOND_RIGHT], found[SECOND_WRONG]) == (0.5, 0.25)  # DARK is neither
    assert (found[KNOWN_RIGHT], found["known sent to UNKNOWN"]) == (0.5, 0.25)
    assert found["known named as a class gained"] == 0.25
    assert found["unseen caught, designs still unknown"] == 0.5
    assert found["junk caught"] == 1.0
    assert [found[figure.name] for figure in COUNTED] == [4, 4, 2, 1]


def test_before_a_round_a_gained_class_is_unknown_too() -> None:
    assert unseen_caught(ROWS, ["K", "L"]) == pytest.approx(1 / 7)
    assert unseen_caught(ROWS, ["K", "L", "NEW"]) == 0.5


def test_the_change_of_known_photos_is_that_of_the_same_photos() -> None:
    found = compared(ROWS.assign(final_prediction=ROWS["label"]), ROWS, ["NEW"])
    assert found["before"][KNOWN_RIGHT] == 1.0
    assert found["after"][KNOWN_CHANGE] == -0.5


def test_nothing_gained_is_no_figure() -> None:
    assert math.isnan(named(ROWS, [])[SECOND_RIGHT])


def test_a_class_is_told_with_what_its_photos_are_called() -> None:
    assert by_class(ROWS, ["NEW"]) == "NEW 2/4 (1 K, 1 DARK)"
    assert by_class(ROWS, []) == "none"


def test_the_table_has_mean_and_worst_of_the_splits() -> None:
    def split(right: float, wrong: float) -> dict[str, dict[str, float]]:
        figures = {figure.name: 1.0 for figure in BEFORE_AND_AFTER}
        counts = dict.fromkeys([figure.name for figure in (*OF_THE_ROUND, *COUNTED)], 4.0)
        after = figures | counts | {SECOND_RIGHT: right, SECOND_WRONG: wrong}
        del after[UNSEEN_BEFORE]
        return {"round": counts, "before": figures | {SECOND_RIGHT: 0.0, SECOND_WRONG: 0.5}, "after": after}

    lines = table("eye", {0: split(0.9, 0.02), 3: split(0.8, math.nan)}).splitlines()
    cells = {cells[1]: cells[2:] for cells in ([cell.strip() for cell in line.split("|")] for line in lines)}
    assert cells["eye, 2 split(s)"][-3:] == ["split 0", "split 3", ""]
    assert cells[SECOND_RIGHT] == ["0.90", "0.000", "0.850", "0.800", "0.000 → 0.900", "0.000 → 0.800", ""]
    assert cells[SECOND_WRONG][1:4] == ["0.500", "0.020", "0.020"]
    assert cells[UNSEEN_BEFORE] == ["", "1.000", "", "", "1.000", "1.000", ""]
    assert cells["decisions"] == ["", "", "4.0", "", "4", "4", ""]
