"""Classes cut down for the benchmark of rare classes: by whole groups, half of them, others in each draw."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmarks.rare_classes import SIZES, cut

KNOWN = pd.DataFrame(
    [
        {"id": f"{label}-{photo}", "label": label, "group": f"{label}-{photo // 2}"}
        for label, photos in {"A": 40, "B": 30, "C": 24, "D": 60, "E": 7, "F": 50, "G": 26, "H": 33}.items()
        for photo in range(photos)
    ]
)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_half_of_the_classes_are_cut_to_the_sizes_by_whole_groups(seed: int) -> None:
    kept = cut(KNOWN, seed)
    photos, before = kept.groupby("label").size(), KNOWN.groupby("label").size()
    assert set(photos.index) == set(before.index)
    is_cut = photos < before
    assert 3 <= is_cut.sum() <= 4  # of E too little would be cut off
    assert set(photos[is_cut]) <= {size - size % 2 for size in SIZES}
    per_group = KNOWN.groupby("group").size()
    assert kept["group"].value_counts().to_dict() == per_group[kept["group"].unique()].to_dict()
    assert cut(KNOWN, seed).equals(kept)


def test_each_draw_cuts_other_classes() -> None:
    assert len({tuple(cut(KNOWN, seed)["id"]) for seed in range(4)}) == 4
