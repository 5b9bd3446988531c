"""The gate: whom it lets in, and the words and numbers it gives for that."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meter_pipeline.evaluation.gate import Contender, judge

Answer = tuple[str, str, str]
"""Photo, true class, predicted class."""


def model(
    version: str, classes: Iterable[str], says: Iterable[Answer] = (), trained_on: Iterable[str] = ()
) -> Contender:
    """A model that says to photo `id` of `true` class: `predicted`."""
    audit = pd.DataFrame(list(says), columns=["image_id", "true_class", "predicted_class"]).astype(object)
    return Contender(version, tuple(classes), audit, frozenset(trained_on))


def answers(**right_by_class: int) -> list[Answer]:
    """Ten photos of each class, so many of them right; wrong ones are called `other`."""
    return [
        (f"{name}{number}", name, name if number < right else "other")
        for name, right in right_by_class.items()
        for number in range(10)
    ]


AB = ("a", "b", "other")


def test_the_first_model_comes_in_even_without_test_photos() -> None:
    verdict = judge(model("m1", AB), None, tolerance=0.01)
    assert verdict.accepted
    assert "first model" in verdict.reason
    assert "no test photos" in verdict.reason
    measured = judge(model("m1", AB, answers(a=9)), None, tolerance=0.01)
    assert measured.comparison.own_macro_recall == pytest.approx(0.9)
    assert measured.reason == "m1 is the first model. Macro recall 0.900 on its own 10 test photos."


def test_a_better_one_replaces_the_champion_and_says_by_how_much() -> None:
    verdict = judge(model("m2", AB, answers(a=9, b=8)), model("m1", AB, answers(a=8, b=8)), tolerance=0.01)
    assert verdict.accepted
    assert verdict.comparison.n_common == 20
    assert (verdict.comparison.wrong_to_right, verdict.comparison.right_to_wrong) == (1, 0)
    assert "0.850 against 0.800 on the same 20 test photos: +0.050" in verdict.reason


def test_a_worse_one_is_refused_and_the_reason_names_the_class_that_lost() -> None:
    verdict = judge(model("m2", AB, answers(a=10, b=5)), model("m1", AB, answers(a=9, b=8)), tolerance=0.01)
    assert not verdict.accepted
    assert verdict.reason.startswith("m1 stays.")
    assert "b 0.80 to 0.50" in verdict.reason
    assert (verdict.comparison.wrong_to_right, verdict.comparison.right_to_wrong) == (1, 3)
    assert verdict.comparison.by_class["class"].tolist() == ["b", "a"]


def test_a_loss_of_exactly_the_tolerance_is_allowed() -> None:
    old, new = model("m1", AB, answers(a=9, b=9)), model("m2", AB, answers(a=9, b=8))
    assert judge(new, old, tolerance=0.05).accepted
    assert not judge(new, old, tolerance=0.049).accepted


def test_the_champion_itself_needs_no_comparison() -> None:
    verdict = judge(model("m1", AB, answers(a=1)), model("m1", AB, answers(a=1)), tolerance=0)
    assert verdict.accepted
    assert verdict.reason == "m1 is already the champion."


def test_a_new_class_is_a_gain_and_no_part_of_the_comparison() -> None:
    old = model("m1", AB, [*answers(a=9, b=9), ("c0", "c", "a"), ("c1", "c", "b")])
    new = model("m2", (*AB, "c"), [*answers(a=9, b=9), ("c0", "c", "a"), ("c1", "c", "c")])
    verdict = judge(new, old, tolerance=0)
    assert verdict.accepted
    numbers = verdict.comparison
    assert numbers.n_common == 20
    assert (numbers.new_classes, numbers.new_class_photos, numbers.new_class_recall) == (("c",), 2, 0.5)
    assert "New: c (macro recall 0.500 on 2 test photos" in verdict.reason
    # but it does not pay for getting worse at what was known
    poor = model("m2", (*AB, "c"), [*answers(a=9, b=7), ("c0", "c", "c"), ("c1", "c", "c")])
    assert not judge(poor, old, tolerance=0.01).accepted


def test_dropping_a_class_wins_nothing_until_a_person_allows_it() -> None:
    old = model("m1", (*AB, "hard"), [*answers(a=9, b=9), ("h", "hard", "a")])
    new = model("m2", AB, answers(a=10, b=10))
    refused = judge(new, old, tolerance=0.01)
    assert not refused.accepted
    assert refused.comparison.dropped_classes == ("hard",)
    assert "no longer knows hard" in refused.reason
    assert "METER_ALLOW_DROPPED_CLASSES" in refused.reason
    allowed = judge(new, old, tolerance=0.01, allow_dropped_classes=True)
    assert allowed.accepted
    worse = judge(model("m2", AB, answers(a=1, b=1)), old, tolerance=0.01, allow_dropped_classes=True)
    assert not worse.accepted


def test_photos_the_champion_was_trained_on_are_left_out() -> None:
    seen = {f"a{number}" for number in range(5)}  # all right for the champion: it knows them by heart
    old = model("m1", AB, [(i, t, t if i in seen else p) for i, t, p in answers(a=7, b=8)], seen)
    new = model("m2", AB, [(i, t, "other" if i in seen else p) for i, t, p in answers(a=8, b=8)])
    verdict = judge(new, old, tolerance=0)
    assert verdict.accepted
    assert (verdict.comparison.n_common, verdict.comparison.n_seen_in_training) == (15, 5)
    assert "5 test photos left out" in verdict.reason


def test_where_nothing_compares_fairly_a_sound_model_comes_in_and_a_broken_one_does_not() -> None:
    everything = {image_id for image_id, *_ in answers(a=10, b=10)}
    old = model("m1", AB, answers(a=10, b=10), everything)
    sound = judge(model("m2", AB, answers(a=9, b=9)), old, tolerance=0.01)
    assert sound.accepted
    assert sound.comparison.n_common == 0
    assert "No test photo compares it fairly" in sound.reason
    broken = judge(model("m2", AB, answers(a=1, b=0)), old, tolerance=0.01)
    assert not broken.accepted
    assert "at least 0.500" in broken.reason
    assert judge(model("m2", AB), model("m1", AB), tolerance=0.01).accepted


def test_todays_labels_count_for_both() -> None:
    old = model("m1", AB, [("x", "a", "b"), ("y", "a", "a")])  # an old report, before x was found to be b
    new = model("m2", AB, [("x", "b", "b"), ("y", "a", "a")])
    assert judge(new, old, tolerance=0).comparison.champion_macro_recall == 1.0


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.text("xyz01", min_size=1, max_size=4),
        st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.sampled_from("abc")),
        max_size=30,
    ),
    st.floats(0, 1),
)
def test_accepted_exactly_where_macro_recall_is_within_the_tolerance(
    photos: dict[str, tuple[str, str, str]], tolerance: float
) -> None:
    old = model("m1", "abc", [(i, truth, before) for i, (truth, before, _) in photos.items()])
    new = model("m2", "abc", [(i, truth, after) for i, (truth, _, after) in reversed(photos.items())])
    verdict = judge(new, old, tolerance=tolerance)
    numbers = verdict.comparison
    assert numbers.n_common == len(photos)
    if photos:
        assert numbers.challenger_macro_recall is not None
        assert numbers.champion_macro_recall is not None
        difference = numbers.challenger_macro_recall - numbers.champion_macro_recall
        assert verdict.accepted == (difference >= -tolerance - 1e-9)
        right = sum(a == t for t, _, a in photos.values()) - sum(b == t for t, b, _ in photos.values())
        assert numbers.wrong_to_right - numbers.right_to_wrong == right
