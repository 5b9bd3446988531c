"""Whom a new word would overrule: one's own word gives way, somebody else's is pointed out first."""

from __future__ import annotations

from pathlib import Path

import pytest

from meter_pipeline.labels import Action
from meter_pipeline.review.agreement import sift
from meter_pipeline.review.deciding import decide
from meter_pipeline.review.reviewed_images import current_state
from meter_pipeline.storage.layout import Layout

PHOTOS = [f"{number:064x}" for number in range(6)]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Photos 0 and 1 are LT2 by anna, 2 is junk by ben, 3 is disputed, 4 is for later; nobody decided on 5."""
    layout = Layout(tmp_path / "data")
    before = current_state(layout)
    decide(layout, Action.NAME, PHOTOS[:2], by="anna", target="LT2")
    decide(layout, Action.JUNK, PHOTOS[2:3], by="ben")
    for who, label in (("anna", "LT2"), ("ben", "GENUS")):
        decide(layout, Action.NAME, PHOTOS[3:4], by=who, target=label, state=before)
    decide(layout, Action.LATER, PHOTOS[4:5], by="anna")
    return layout


def test_a_new_name_by_somebody_else_is_contested_with_who_said_what(layout: Layout) -> None:
    found = sift(current_state(layout), PHOTOS, Action.NAME, "HPL", "carl")
    assert found.free == tuple(PHOTOS[4:])
    assert (found.already, found.taken_back) == ((), ())
    assert {said.sentence: list(said.image_ids) for said in found.contested} == {
        "named LT2 by anna": PHOTOS[:2],
        "called junk by ben": PHOTOS[2:3],
        "named GENUS by ben, and LT2 by others": PHOTOS[3:4],
    }


def test_ones_own_word_is_taken_back_but_a_dispute_is_not_settled_unseen(layout: Layout) -> None:
    found = sift(current_state(layout), PHOTOS, Action.NAME, "HPL", "anna")
    assert found.free == (*PHOTOS[:2], *PHOTOS[4:])
    assert [said.image_ids for said in found.taken_back] == [tuple(PHOTOS[:2])]
    assert found.contested_ids == (PHOTOS[2], PHOTOS[3])


def test_the_same_word_by_anybody_is_no_new_one(layout: Layout) -> None:
    found = sift(current_state(layout), PHOTOS[:3], Action.NAME, "LT2", "carl")
    assert (found.already, found.free) == (tuple(PHOTOS[:2]), ())
    assert sift(current_state(layout), PHOTOS[2:3], Action.JUNK, None, "carl").already == tuple(PHOTOS[2:3])


def test_a_group_would_take_back_names_too(layout: Layout) -> None:
    found = sift(current_state(layout), PHOTOS, Action.GROUP, None, "carl")
    assert found.free == tuple(PHOTOS[4:])
    assert set(found.contested_ids) == set(PHOTOS[:4])
