"""The split leaks nothing, depends on content only, and holds still as photos are added."""

from __future__ import annotations

import hashlib

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meter_pipeline.dataset.dataset_split import data_set_problems, split_dataset, split_problems
from meter_pipeline.errors import DataSetError
from meter_pipeline.labels import Origin
from meter_pipeline.settings import SplitSettings
from meter_pipeline.storage.table_rows import conform
from meter_pipeline.storage.tables import DATASET_SPLIT

TEST_FROM, VAL_FROM = 10, 20
NOTHING = pd.DataFrame(columns=list(DATASET_SPLIT.columns))


def photos(
    label: str,
    groups: range | list[int],
    each: int = 1,
    reason: str | None = None,
    origin: Origin = Origin.FOLDER,
) -> pd.DataFrame:
    """An inventory of one class: `each` photos per group."""
    rows = [
        {
            "path": f"{label}/{group:04d}-{n}.jpg",
            "label": label,
            "image_id": hashlib.sha256(f"{label}{group}{n}".encode()).hexdigest(),
            "group_id": hashlib.sha256(f"{label}{group}".encode()).hexdigest()[:16],
            "origin": origin,
            "reason": reason,
        }
        for group in groups
        for n in range(each)
    ]
    return pd.DataFrame(rows, columns=["path", "label", "image_id", "group_id", "origin", "reason"])


def split_of(inventory: pd.DataFrame, previous: pd.DataFrame = NOTHING) -> pd.DataFrame:
    split = split_dataset(inventory, previous, SplitSettings(split_test_from=TEST_FROM, split_val_from=VAL_FROM))
    conform(DATASET_SPLIT, split)
    assert split_problems(split) == []
    return split


def places(split: pd.DataFrame) -> dict[str, str]:
    return dict(zip(split["image_id"], split["split"], strict=True))


def counts(split: pd.DataFrame) -> dict[str, int]:
    return split["split"].value_counts().to_dict()


@pytest.mark.parametrize("groups", [1, 9])
def test_a_small_class_is_trained_on_only(groups: int) -> None:
    split = split_of(photos("LT2", range(groups), each=3))
    assert counts(split) == {"train": 3 * groups}
    assert split["rule"].iloc[0] == f"small class ({groups} {'group' if groups == 1 else 'groups'}): train only"


def test_size_is_counted_in_groups_and_not_in_photos() -> None:
    assert set(split_of(photos("LT2", range(2), each=50))["split"]) == {"train"}


@given(st.integers(10, 120), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_a_larger_class_always_has_what_its_size_promises(groups: int, first: int) -> None:
    split = split_of(photos("LT2", range(first, first + groups)))
    found = counts(split)
    promised = {"train", "test"} | ({"val"} if groups >= VAL_FROM else set())
    assert set(found) == promised
    assert 0.1 * groups <= found["test"] <= 0.3 * groups + 1
    assert found["train"] >= groups / 3
    assert set(split["rule"]) == {
        f"large class ({groups} groups): train, val and test"
        if groups >= VAL_FROM
        else f"medium class ({groups} groups): train and test"
    }


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_neither_order_nor_other_classes_matter(data: st.DataObject) -> None:
    one, other = photos("LT2", range(data.draw(st.integers(1, 40))), each=2), photos("GENUS", range(25))
    alone = places(split_of(one))
    together = pd.concat([one, other]).sample(frac=1, random_state=data.draw(st.integers(0, 99)))
    assert {image_id: place for image_id, place in places(split_of(together)).items() if image_id in alone} == alone


@pytest.mark.slow
@given(st.lists(st.lists(st.integers(0, 70), min_size=1, max_size=25), min_size=2, max_size=5), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_adding_photos_moves_none_except_past_a_threshold_and_never_out_of_test(
    batches: list[list[int]], each: int
) -> None:
    groups: set[int] = set()
    split = NOTHING
    for batch in batches:
        size_before = len(groups)
        groups |= set(batch)
        before = places(split)
        split = split_of(photos("LT2", sorted(groups), each), split)
        after = places(split)
        moves = {(place, after[image_id]) for image_id, place in before.items()} - {
            (s, s) for s in ("train", "val", "test")
        }
        allowed = set()
        if size_before < TEST_FROM <= len(groups):
            allowed |= {("train", "test")}
        if size_before < VAL_FROM <= len(groups):
            allowed |= {("train", "val")}
        assert moves <= allowed
        pd.testing.assert_frame_equal(
            split_of(photos("LT2", sorted(groups), each), split), split
        )  # nothing new: no change


def test_a_group_that_gains_a_photo_keeps_its_place() -> None:
    before = split_of(photos("LT2", range(30)))
    after = split_of(photos("LT2", range(30), each=2), before)
    assert after.groupby("group_id")["split"].nunique().max() == 1
    assert places(before).items() <= places(after).items()


def test_groups_that_a_person_joins_are_held_out_if_one_was() -> None:
    inventory = photos("LT2", range(30))
    before = split_of(inventory)
    tested = before.loc[before["split"] == "test", "group_id"].iloc[0]
    trained = before.loc[before["split"] == "train", "group_id"].iloc[0]
    joined = inventory.replace({"group_id": {trained: tested}})
    after = split_of(joined, before)
    assert set(after.loc[after["group_id"] == tested, "split"]) == {"test"}


def test_a_class_that_shrinks_keeps_its_test_photos_out_of_training() -> None:
    before = split_of(photos("LT2", range(12)))
    tested = set(before.loc[before["split"] == "test", "image_id"])
    inventory = photos("LT2", range(12))
    trained = inventory[~inventory["image_id"].isin(tested)]
    after = split_of(pd.concat([inventory[inventory["image_id"].isin(tested)], trained.head(4)]), before)
    assert set(after.loc[after["split"] == "test", "image_id"]) == tested
    assert "what was test before stays so" in set(after.loc[after["split"] == "test", "rule"]).pop()


def test_a_class_of_which_only_test_photos_are_left_is_trained_on_with_one() -> None:
    before = split_of(photos("LT2", range(40)))
    left = before.loc[before["split"] == "test", "image_id"]
    inventory = photos("LT2", range(40))
    after = split_of(inventory[inventory["image_id"].isin(left)], before)
    assert counts(after)["train"] == 1


def test_a_photo_moved_to_another_class_is_placed_anew() -> None:
    before = split_of(photos("LT2", range(30)))
    wrong = before.loc[before["split"] == "test", "image_id"].iloc[0]
    inventory = photos("LT2", range(30))
    inventory.loc[inventory["image_id"] == wrong, ["label", "path", "group_id"]] = ["LT3", "LT3/x.jpg", "f" * 16]
    assert places(split_of(inventory, before))[wrong] == "train"


def test_refused_photos_are_not_split() -> None:
    inventory = pd.concat([photos("LT2", range(3)), photos("LT3", range(2), reason="The file is empty.")])
    assert set(split_of(inventory)["label"]) == {"LT2"}


def test_photos_that_are_all_out_of_reach_do_not_wipe_the_split() -> None:
    with pytest.raises(DataSetError, match="None of the 2 labelled files can be used"):
        split_of(photos("LT2", range(2), reason="The file cannot be read."))


def test_a_class_that_waits_is_left_out_and_taken_in_later() -> None:
    known, new = photos("LT2", range(4)), photos("NEW", range(2), each=5, origin=Origin.PROMOTED)
    before = split_of(pd.concat([known, new]))
    assert set(before["label"]) == {"LT2"}
    after = split_of(pd.concat([known, new, photos("NEW", [2], origin=Origin.PROMOTED)]), before)
    assert (after["label"] == "NEW").sum() == 11
    assert places(before).items() <= places(after).items()


def test_classes_that_all_wait_say_how_many_meters_they_have() -> None:
    with pytest.raises(DataSetError, match=r"All classes wait.*NEW \(2 of 3 meters\)"):
        split_of(photos("NEW", range(2), origin=Origin.PROMOTED))


def test_a_class_that_is_spelled_anew_keeps_its_places() -> None:
    inventory = photos("LT2", range(30))
    before = split_of(inventory)
    after = split_of(inventory.assign(label="lt2"), before.assign(split=before["split"].replace("train", "test")))
    assert set(after.loc[after["image_id"].isin(before.loc[before["split"] == "test", "image_id"]), "split"]) == {
        "test"
    }
    assert counts(after)["test"] > counts(before)["test"]


def test_the_check_finds_every_leak() -> None:
    split = pd.DataFrame(
        [
            ("i1", "A/1", "A", "g1", "train", ""),
            ("i2", "A/2", "A", "g1", "test", ""),
            ("i3", "A/3", "A", "g2", "val", ""),
            ("i3", "A/4", "A", "g3", "train", ""),
            ("i4", "B/1", "B", "g4", "test", ""),
            ("i5", "A/5", "A", "g5", "holdout", ""),
        ],
        columns=list(DATASET_SPLIT.columns),
    )
    assert split_problems(split) == [
        "There is a split called 'holdout'.",
        "Photo i3 is there 2 times.",
        "Group g1 is in test and train.",
        "Class B is in test but not in train.",
    ]


def test_training_says_why_it_cannot_start() -> None:
    with pytest.raises(DataSetError, match=r"no labelled photos.*data/raw/<CLASS>/"):
        data_set_problems(NOTHING)
    with pytest.raises(DataSetError, match="only one class, LT2"):
        data_set_problems(split_of(photos("LT2", range(5))))


def test_a_class_of_one_photo_is_noted() -> None:
    split = split_of(pd.concat([photos("LT2", range(12)), photos("LT3", range(1)), photos("LT4", range(4))]))
    assert data_set_problems(split) == [
        "Class LT3 has one photo: it is trained on, but cannot be tested.",
        "Too small to be tested: LT4.",
    ]
