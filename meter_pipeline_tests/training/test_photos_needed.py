"""How many photos a class needs until the guard's promise holds: read from what was flagged by class size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.training.photos_needed import PhotosNeeded


def held_out(shares: dict[int, tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return class sizes and what is flagged, for so many flagged of so many photos by class size."""
    sizes = np.repeat(list(shares), [photos for _, photos in shares.values()])
    flagged = [np.arange(photos) < flagged for flagged, photos in shares.values()]
    return sizes, np.concatenate(flagged)


def test_a_class_needs_the_photos_from_which_on_few_are_flagged() -> None:
    needed = PhotosNeeded.of(*held_out({30: (2, 100), 4: (6, 20), 9: (3, 20), 14: (1, 40)}), promised=0.05)
    assert needed == PhotosNeeded(14, pytest.approx(9 / 40))
    assert [needed.is_met_by(photos) for photos in (13, 14, 50)] == [False, True, True]


def test_one_size_that_happens_to_do_well_or_badly_is_judged_with_those_beside_it() -> None:
    lucky = PhotosNeeded.of(*held_out({4: (0, 5), 6: (6, 20), 20: (1, 100)}), promised=0.05)
    assert lucky.photos == 20
    unlucky = PhotosNeeded.of(*held_out({4: (6, 20), 20: (2, 100), 40: (1, 8)}), promised=0.05)
    assert unlucky.photos == 20


def test_a_few_photos_of_which_none_is_flagged_do_not_show_that_the_promise_holds() -> None:
    assert PhotosNeeded.of(*held_out({3: (1, 4), 5: (0, 17), 20: (0, 60)}), promised=0.05).photos == 5
    assert PhotosNeeded.of(*held_out({3: (1, 4), 5: (0, 17)}), promised=0.05).photos is None


def test_where_all_keep_it_the_smallest_does_and_where_none_does_no_number_is_given() -> None:
    assert PhotosNeeded.of(*held_out({5: (0, 20), 20: (1, 40)}), promised=0.05) == PhotosNeeded(5, None)
    none = PhotosNeeded.of(*held_out({5: (3, 10), 20: (4, 40)}), promised=0.05)
    assert none == PhotosNeeded(None, pytest.approx(7 / 50))
    assert not none.is_met_by(1000)


@given(st.lists(st.tuples(st.integers(1, 50), st.booleans()), min_size=1, max_size=60), st.floats(0.01, 0.5))
def test_any_photos_give_an_answer_that_does_not_depend_on_their_order(
    photos: list[tuple[int, bool]], promised: float
) -> None:
    sizes, flagged = np.array([size for size, _ in photos]), np.array([is_flagged for _, is_flagged in photos])
    found = PhotosNeeded.of(sizes, flagged, promised)
    assert found.photos is None or found.photos in sizes
    assert PhotosNeeded.of(sizes[::-1], flagged[::-1], promised) == found
