"""Which photos come in which drop: halves of each label by whole groups, other ones in each split."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmarks.loop_photos import designs_to_learn, dropped

SIZES = {("A", "unseen"): 20, ("B", "unseen"): 7, ("C", "unseen"): 6, ("D", "known"): 30, ("wall", "junk"): 15}
PHOTOS = pd.DataFrame(
    [
        {"image_id": f"{label}-{photo}", "label": label, "role": role, "group": f"{label}-{photo // 2}"}
        for (label, role), photos in SIZES.items()
        for photo in range(photos)
    ]
)
TESTED = [f"D-{photo}" for photo in range(10)]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_label_is_halved_by_whole_groups(seed: int) -> None:
    rows = dropped(PHOTOS, TESTED, seed)
    assert rows.groupby("group")["drop"].nunique().max() == 1
    halves = rows.groupby(["label", "drop"]).size().unstack()
    assert (halves[1] - halves[2]).abs().max() <= 2  # photos of a group
    assert dropped(PHOTOS.sample(frac=1.0, random_state=seed), TESTED, seed).sort_index().equals(rows)


def test_of_known_photos_only_those_come_that_are_tested() -> None:
    rows = dropped(PHOTOS, TESTED, 0)
    assert sorted(rows.loc[rows["role"] == "known", "image_id"]) == TESTED
    assert (rows["role"] != "known").sum() == (PHOTOS["role"] != "known").sum()


def test_each_split_has_other_halves() -> None:
    assert len({tuple(dropped(PHOTOS, TESTED, seed)["drop"]) for seed in range(4)}) == 4


def test_designs_with_seven_photos_or_more_are_to_be_learned() -> None:
    assert designs_to_learn(PHOTOS) == ["A", "B"]
