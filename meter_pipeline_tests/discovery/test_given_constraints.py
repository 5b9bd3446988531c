"""What people said holds, whatever the algorithm says, and nothing else is moved by it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.discovery.given_constraints import Exclusion, GivenConstraints, said_of, said_otherwise
from meter_pipeline.labels import NOISE
from meter_pipeline_tests.support.bounds import costs_at_most


def constraints(
    photos: int, groups: list[list[int]], apart: Sequence[tuple[list[int], list[int]]] = ()
) -> GivenConstraints:
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


def test_one_photo_of_a_group_does_not_drag_a_large_cluster_along() -> None:
    assert held([-1, -1, 0, 0, 0, 0, 1, 1], constraints(8, [[0, 1, 2]])) == [0, 0, 0, 0, 0, 0, 1, 1]
    assert held([1, 1, 0, 0, 0, 0], constraints(6, [[0, 1, 2]])) == [1, 1, 1, 0, 0, 0]


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


def rows(*groups: str, apart: Sequence[tuple[str, str]] = ()) -> pd.DataFrame:
    """Rows of `review_constraints`; a letter is a photo."""
    found = [(f"together-{number}", "together", False, name) for number, group in enumerate(groups) for name in group]
    for number, (out, group) in enumerate(apart):
        found += [(f"apart-{number}", "apart", True, name) for name in out]
        found += [(f"apart-{number}", "apart", False, name) for name in group]
    return pd.DataFrame(found, columns=["constraint_id", "kind", "is_out", "image_id"])


def test_constraints_about_photos_that_are_not_there_do_nothing() -> None:
    found = GivenConstraints.among(["a", "b", "c"], rows("a?", "cb", apart=[("b", "?"), ("?", "a")]))
    assert [group.tolist() for group in found.groups] == [[1, 2]]
    assert found.exclusions == ()
    assert found.constrained.tolist() == [False, True, True]


def test_who_was_taken_out_of_the_own_group_leaves_it() -> None:
    found = GivenConstraints.among(list("abcd"), rows("abc", apart=[("c", "a")]))
    assert [group.tolist() for group in found.groups] == [[0, 1]]
    assert held([0, 0, 0, 0], found) == [0, 0, -1, 0]


@pytest.mark.parametrize(
    ("before", "now", "otherwise"),
    [
        (rows("ab"), rows("ab"), ""),
        (rows("ab"), rows("abc"), ""),
        (rows("xy", "ab"), rows("abxy"), ""),
        (rows("abc"), rows("ab"), "c"),
        (rows("abcd"), rows("ab", "cd"), "abcd"),
        (rows("ab"), rows(), "ab"),
        (rows(apart=[("a", "x")]), rows(apart=[("b", "y"), ("a", "x")]), ""),
        (rows(apart=[("a", "x"), ("a", "y")]), rows(apart=[("a", "y")]), "a"),
        (rows("ab", apart=[("a", "x")]), rows("ab"), "a"),
    ],
)
def test_what_people_do_not_say_any_more_is_told(before: pd.DataFrame, now: pd.DataFrame, otherwise: str) -> None:
    assert said_otherwise(said_of(before), said_of(now)) == set(otherwise)


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


@given(LABELS, consistent())
def test_photos_of_which_nobody_said_anything_stay_or_are_left_alone_or_go_along(
    labels: list[int], said: GivenConstraints
) -> None:
    before, found = np.array(labels), said.hold(np.array(labels))
    for place in np.flatnonzero(~said.constrained & (found != before)):
        was_with = before == before[place]
        if found[place] == NOISE:
            assert (found[was_with] != before[place]).all()
        else:
            assert 2 * (was_with & said.constrained).sum() >= was_with.sum()


@given(LABELS)
def test_without_constraints_nothing_moves(labels: list[int]) -> None:
    assert held(labels, constraints(8, [])) == labels


def test_it_is_quick_for_a_hundred_thousand_photos_and_five_thousand_constraints() -> None:
    rng = np.random.default_rng(0)
    labels, order = rng.integers(-1, 5_000, 100_000), rng.permutation(100_000)
    image_ids = [f"{number:064x}" for number in range(100_000)]
    parts = [(f"together-{start:06d}", "together", 0, order[start : start + 10]) for start in range(0, 25_000, 10)]
    parts += [(f"apart-{start:06d}", "apart", 5, order[start : start + 15]) for start in range(30_000, 67_500, 15)]
    said = pd.DataFrame(
        [
            (number, kind, place < out, image_ids[photo])
            for number, kind, out, photos in parts
            for place, photo in enumerate(photos.tolist())
        ],
        columns=["constraint_id", "kind", "is_out", "image_id"],
    )
    with costs_at_most(2.5):
        GivenConstraints.among(image_ids, said).hold(labels)
        said_otherwise(said_of(said), said_of(said))
