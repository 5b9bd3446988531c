"""What people said holds, whatever the algorithm says, and nothing else is moved by it."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.discovery.given_constraints import Exclusion, GivenConstraints
from meter_pipeline.labels import NOISE


def constraints(
    photos: int, groups: list[list[int]], apart: list[tuple[list[int], list[int]]] = ()
) -> GivenConstraints:  # type: ignore[assignment]
    return GivenConstraints(
        photos,
        tuple(np.array(group) for group in groups),
        tuple(Exclusion(np.array(out), np.array(group)) for out, group in apart),
    )


def held(labels: list[int], given_constraints: GivenConstraints) -> list[int]:
    return given_constraints.hold(np.array(labels)).tolist()


def test_a_group_goes_where_most_of_it_is() -> None:
    assert held([0, 0, 0, 1, 1, 1, 1, -1], constraints(8, [[0, 1, 3, 7]])) == [0, 0, 0, 0, 1, 1, 1, 0]


def test_a_cluster_of_which_half_goes_goes_along() -> None:
    assert held([0, 0, 0, 1, 1, -1], constraints(6, [[0, 1, 2, 3]])) == [0, 0, 0, 0, 0, -1]


def test_a_group_of_noise_is_a_cluster_of_its_own() -> None:
    assert held([0, 0, -1, -1, -1], constraints(5, [[2, 4]])) == [0, 0, 1, -1, 1]


def test_what_was_taken_out_is_noise_or_a_cluster_with_its_group() -> None:
    labels = [0, 0, 0, 0, 0, 1, 1]
    assert held(labels, constraints(7, [], [([4], [0, 1])])) == [0, 0, 0, 0, -1, 1, 1]
    assert held(labels, constraints(7, [[3, 4]], [([4], [0, 1])])) == [0, 0, 0, 2, 2, 1, 1]


def test_what_was_taken_out_may_be_in_any_other_cluster() -> None:
    labels = [0, 0, 0, 1, 1, 1]
    assert held(labels, constraints(6, [], [([5], [0, 1])])) == labels


def test_a_photo_that_is_left_alone_is_noise() -> None:
    assert held([0, 0, 1, 1], constraints(4, [], [([0], [1])])) == [-1, -1, 1, 1]


def test_constraints_about_photos_that_are_not_there_do_nothing() -> None:
    rows = pd.DataFrame(
        [
            ("together-0", "together", False, "a"),
            ("together-0", "together", False, "gone"),
            ("apart-0", "apart", True, "b"),
            ("apart-0", "apart", False, "gone"),
            ("together-1", "together", False, "c"),
            ("together-1", "together", False, "b"),
        ],
        columns=["constraint_id", "kind", "is_out", "image_id"],
    )
    found = GivenConstraints.among(["a", "b", "c"], rows)
    assert [group.tolist() for group in found.groups] == [[1, 2]]
    assert found.exclusions == ()
    assert found.constrained.tolist() == [False, True, True]


LABELS = st.lists(st.integers(-1, 3), min_size=8, max_size=8)


@st.composite
def consistent(draw: st.DrawFn) -> GivenConstraints:
    """Groups without a photo in common, and exclusions that part no group, as the fold gives them."""
    group_of = draw(st.lists(st.integers(0, 4), min_size=8, max_size=8))
    groups = [[p for p in range(8) if group_of[p] == g] for g in range(3)]  # those of 3 and 4 are in no group
    apart = []
    for _ in range(draw(st.integers(0, 3))):
        out = set(draw(st.lists(st.integers(0, 7), min_size=1, max_size=3)))
        for group in groups:
            out |= set(group) if out & set(group) else set()
        rest = set(draw(st.lists(st.integers(0, 7), min_size=1, max_size=4))) - out
        apart += [(sorted(out), sorted(rest))] if rest else []
    return constraints(8, [group for group in groups if len(group) > 1], apart)


@given(LABELS, consistent())
def test_constraints_hold_and_holding_again_changes_nothing(labels: list[int], said: GivenConstraints) -> None:
    found = said.hold(np.array(labels))
    for group in said.groups:
        assert len(set(found[group].tolist())) == 1
        assert found[group[0]] != NOISE
    for exclusion in said.exclusions:
        common = set(found[exclusion.out].tolist()) & set(found[exclusion.group].tolist())
        assert common <= {NOISE}
    assert said.hold(found).tolist() == found.tolist()


@given(LABELS)
def test_without_constraints_nothing_moves(labels: list[int]) -> None:
    assert held(labels, constraints(8, [])) == labels


def test_it_is_quick_for_a_hundred_thousand_photos() -> None:
    rng = np.random.default_rng(0)
    labels, order = rng.integers(-1, 5_000, 100_000), rng.permutation(100_000)
    groups = [order[start : start + 10].tolist() for start in range(0, 25_000, 10)]
    apart = [(order[s : s + 5].tolist(), order[s + 5 : s + 15].tolist()) for s in range(30_000, 67_500, 15)]
    said = constraints(100_000, groups, apart)
    started = time.process_time()
    said.hold(labels)
    assert time.process_time() - started < 1.5
