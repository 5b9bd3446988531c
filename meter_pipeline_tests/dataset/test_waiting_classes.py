"""A class waits only if all its photos were promoted and show too few meters."""

from __future__ import annotations

import pandas as pd
import pytest

from meter_pipeline.dataset.waiting_classes import WaitingClass, left_out_of_split, taught_classes, waiting_classes


def inventory(*rows: tuple[str, str, str, str | None]) -> pd.DataFrame:
    """Rows of (label, group, origin, reason)."""
    return pd.DataFrame(rows, columns=["label", "group_id", "origin", "reason"])


PROMOTED = [("NEW", "g1", "promoted", None), ("NEW", "g1", "promoted", None), ("NEW", "g2", "promoted", None)]


def test_photos_of_one_meter_count_once() -> None:
    assert waiting_classes(inventory(*PROMOTED), 3) == {"NEW": WaitingClass("NEW", photos=3, meters=2, needed=3)}


@pytest.mark.parametrize(
    "further",
    [("NEW", "g3", "promoted", None), ("NEW", "g1", "folder", None)],
    ids=["enough meters", "a photo that a person put there"],
)
def test_a_class_that_is_learned(further: tuple[str, str, str, None]) -> None:
    assert waiting_classes(inventory(*PROMOTED, further), 3) == {}


def test_refused_photos_do_not_count() -> None:
    refused = [("NEW", "g3", "promoted", "damaged"), ("NEW", "g4", "folder", "damaged")]
    assert waiting_classes(inventory(*PROMOTED, *refused), 3)["NEW"].meters == 2


def test_a_class_was_taught_if_few_photos_all_promoted_are_learned_from() -> None:
    photos = pd.DataFrame(
        {"image_id": list("abcdefgh"), "origin": ["promoted"] * 5 + ["folder"] + ["promoted"] * 2, "reason": None}
    )
    split = pd.DataFrame(
        {
            "image_id": list("abcdefgh"),
            "label": ["NEW", "NEW", "NEW", "OLD", "OLD", "OLD", "TESTED", "TESTED"],
            "split": ["train", "train", "test", "train", "train", "train", "test", "test"],
        }
    )
    assert taught_classes(photos, split, photos=range(3)) == ["NEW"]
    assert taught_classes(photos, split, photos=range(2)) == []


def test_what_a_split_leaves_out_is_what_waits() -> None:
    photos = inventory(*PROMOTED, ("LT2", "g9", "folder", None), ("LATE", "g8", "folder", None))
    split = pd.DataFrame({"label": ["LT2"]})
    promoted = pd.DataFrame({"label": ["new", "LT2"], "class_meters_needed": [3, None]})
    assert left_out_of_split(photos, split, promoted) == {"NEW": WaitingClass("NEW", photos=3, meters=2, needed=3)}
    assert left_out_of_split(photos, pd.DataFrame({"label": ["LT2", "NEW"]}), promoted) == {}
