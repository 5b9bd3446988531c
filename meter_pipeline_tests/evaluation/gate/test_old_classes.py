"""The gate on old classes: what a challenger may lose, and when the test photos are too few to say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meter_pipeline.evaluation.gate.contender import Contender
from meter_pipeline.evaluation.gate.findings import Criterion, Finding
from meter_pipeline.evaluation.gate.verdict import Verdict, judge
from meter_pipeline.labels import Outcome
from meter_pipeline_tests.support.contenders import answers, contender

AB = ("a", "b", "other")


def finding(verdict: Verdict, criterion: Criterion) -> Finding:
    (found,) = [finding for finding in verdict.findings if finding.criterion == criterion]
    return found


def against(right: dict[str, int], before: dict[str, int], photos: int = 10) -> Verdict:
    """The verdict on a model with so many photos of each class right, of the same ones."""
    old = contender("m1", AB, answers(before, photos=photos))
    return judge(contender("m2", AB, answers(right, photos=photos)), old, tolerance=0.01)


def test_the_first_model_comes_in_even_without_test_photos() -> None:
    verdict = judge(contender("m1", AB), None, tolerance=0.01)
    assert verdict.accepted
    assert "first model" in verdict.reason
    assert "no test photos" in verdict.reason
    measured = judge(contender("m1", AB, answers({"a": 9})), None, tolerance=0.01)
    assert measured.comparison.own_macro_recall == pytest.approx(0.9)
    assert measured.reason == "m1 is the first model. Macro recall 0.900 on its own 10 test photos."


def test_a_better_one_replaces_the_champion_and_says_by_how_much() -> None:
    verdict = against({"a": 9, "b": 8}, {"a": 8, "b": 8})
    assert verdict.accepted
    assert verdict.comparison.n_common == 20
    assert (verdict.comparison.wrong_to_right, verdict.comparison.right_to_wrong) == (1, 0)
    assert verdict.reason.startswith("m2 replaces m1.")
    assert "0.850 against 0.800 on the same 20 test photos: +0.050" in verdict.reason


def test_a_worse_one_does_not_come_in_and_the_reason_names_the_class_that_lost() -> None:
    verdict = against({"a": 10, "b": 5}, {"a": 9, "b": 8})
    assert not verdict.accepted
    assert verdict.reason.startswith("m1 stays.")
    assert "b 0.80 to 0.50" in verdict.reason
    assert (verdict.comparison.wrong_to_right, verdict.comparison.right_to_wrong) == (1, 3)
    assert verdict.comparison.by_class["class"].tolist() == ["b", "a"]


def test_a_loss_of_exactly_the_tolerance_is_allowed() -> None:
    old, new = contender("m1", AB, answers({"a": 9, "b": 9})), contender("m2", AB, answers({"a": 9, "b": 8}))
    assert judge(new, old, tolerance=0.05).accepted
    assert not judge(new, old, tolerance=0.049).accepted


def test_a_loss_on_few_photos_is_held_and_on_enough_it_is_refused() -> None:
    few = against({"a": 9, "b": 7}, {"a": 9, "b": 8})
    assert few.outcome == Outcome.HELD
    assert "m2 is held until a person decides (meter model accept m2)." in few.reason
    assert "Macro recall on old classes fell by 0.050; 0.010 is allowed." in few.reason
    assert "Too few test photos to see one point: 20 compared" in few.reason
    enough = against({"a": 80, "b": 78}, {"a": 80, "b": 81}, photos=100)
    assert enough.outcome == Outcome.REFUSED
    assert "m2 is refused." in enough.reason
    assert "Too few" not in enough.reason


def test_many_photos_of_which_one_class_has_a_single_one_are_too_few() -> None:
    """One photo of that class is half of the macro recall."""
    before = [*answers({"a": 200}, photos=200), ("b0", "b", "b")]
    after = [*answers({"a": 200}, photos=200), ("b0", "b", "a")]
    verdict = judge(contender("m2", AB, after), contender("m1", AB, before), tolerance=0.01)
    assert verdict.outcome == Outcome.HELD
    assert "a single one moves the macro recall by up to 50.0 points" in verdict.reason


def test_a_model_with_three_test_photos_is_told_so_and_proves_nothing() -> None:
    as_good = against({"a": 3}, {"a": 3}, photos=3)
    assert as_good.accepted
    assert "Too few test photos to see one point: 3 compared" in as_good.reason
    for right in (0, 1, 2):
        worse = against({"a": right}, {"a": 3}, photos=3)
        assert worse.outcome == Outcome.HELD
        assert "Too few test photos to see one point: 3 compared" in worse.reason


def test_more_photos_wrong_than_chance_explains_is_refused_however_few_they_are() -> None:
    verdict = against({"a": 4, "b": 10}, {"a": 10, "b": 10})
    assert verdict.outcome == Outcome.REFUSED
    assert finding(verdict, Criterion.SIGN_TEST).outcome == Outcome.REFUSED
    assert "6 photos went from right to wrong and 0 from wrong to right: more than chance explains" in verdict.reason


def test_five_photos_may_be_chance() -> None:
    verdict = against({"a": 8, "b": 7}, {"a": 10, "b": 10})  # 5 of 5: p = 0.06
    assert verdict.outcome == Outcome.HELD


def test_a_class_may_lose_two_photos_alone_and_is_held_for_a_third() -> None:
    """What the classes gain together does not pay for what one of them loses."""
    assert against({"a": 8, "b": 10}, {"a": 10, "b": 5}).accepted
    verdict = against({"a": 7, "b": 10}, {"a": 10, "b": 5})
    assert verdict.outcome == Outcome.HELD
    assert "a loses 3 photos: 10 of 10 were right, now 7." in verdict.reason
    small = against({"a": 4, "b": 7}, {"a": 7, "b": 3}, photos=7)  # fewer than eight photos of the class
    assert small.accepted


def test_a_model_that_forgets_a_class_is_refused_whatever_it_gains() -> None:
    verdict = against({"a": 0, "b": 10}, {"a": 4, "b": 2})
    assert verdict.outcome == Outcome.REFUSED
    assert verdict.comparison.change == pytest.approx(0.2)
    assert "It forgets a: 4 of 10 test photos were right, now none is." in verdict.reason


def test_a_model_trained_on_swapped_labels_is_refused() -> None:
    before = answers({"a": 10, "b": 10})
    after = [(photo, truth, {"a": "b", "b": "a"}[truth]) for photo, truth, _ in before]
    verdict = judge(contender("m2", AB, after), contender("m1", AB, before), tolerance=0.01)
    assert verdict.outcome == Outcome.REFUSED
    refused = {finding.criterion for finding in verdict.findings if finding.outcome == Outcome.REFUSED}
    assert {Criterion.SIGN_TEST, Criterion.CLASS_FORGOTTEN} <= refused
    assert "It forgets a" in verdict.reason
    assert "It forgets b" in verdict.reason


def test_the_champion_itself_needs_no_comparison() -> None:
    verdict = judge(contender("m1", AB, answers({"a": 1})), contender("m1", AB, answers({"a": 1})), tolerance=0)
    assert verdict.accepted
    assert verdict.reason == "m1 is already the champion."


def test_dropping_a_class_wins_nothing_until_a_person_allows_it() -> None:
    old = contender("m1", (*AB, "hard"), [*answers({"a": 9, "b": 9}), ("h", "hard", "a")])
    new = contender("m2", AB, answers({"a": 10, "b": 10}))
    refused = judge(new, old, tolerance=0.01)
    assert refused.outcome == Outcome.REFUSED
    assert refused.comparison.dropped_classes == ("hard",)
    assert "no longer knows hard" in refused.reason
    assert "METER_ALLOW_DROPPED_CLASSES" in refused.reason
    allowed = judge(new, old, tolerance=0.01, allow_dropped_classes=True)
    assert allowed.accepted
    assert "It no longer knows hard, which was allowed." in allowed.reason
    worse = judge(contender("m2", AB, answers({"a": 1, "b": 1})), old, tolerance=0.01, allow_dropped_classes=True)
    assert not worse.accepted


def test_photos_the_champion_was_trained_on_are_left_out() -> None:
    seen = {f"a{number}" for number in range(5)}  # all right for the champion: it knows them by heart
    old = contender("m1", AB, [(i, t, t if i in seen else p) for i, t, p in answers({"a": 7, "b": 8})], seen)
    new = contender("m2", AB, [(i, t, "other" if i in seen else p) for i, t, p in answers({"a": 8, "b": 8})])
    verdict = judge(new, old, tolerance=0)
    assert verdict.accepted
    assert (verdict.comparison.n_common, verdict.comparison.n_seen_in_training) == (15, 5)
    assert "5 test photos left out" in verdict.reason


def test_where_nothing_compares_fairly_a_sound_model_comes_in_and_a_broken_one_does_not() -> None:
    photos = answers({"a": 10, "b": 10})
    old = contender("m1", AB, photos, {image_id for image_id, *_ in photos})
    sound = judge(contender("m2", AB, answers({"a": 9, "b": 9})), old, tolerance=0.01)
    assert sound.accepted
    assert sound.comparison.n_common == 0
    assert "No test photo compares it fairly" in sound.reason
    broken = judge(contender("m2", AB, answers({"a": 1, "b": 0})), old, tolerance=0.01)
    assert broken.outcome == Outcome.REFUSED
    assert "at least 0.500" in broken.reason
    assert judge(contender("m2", AB), contender("m1", AB), tolerance=0.01).accepted


def test_todays_labels_count_for_both() -> None:
    old = contender("m1", AB, [("x", "a", "b"), ("y", "a", "a")])  # an old report, before x was found to be b
    new = contender("m2", AB, [("x", "b", "b"), ("y", "a", "a")])
    assert judge(new, old, tolerance=0).comparison.champion_macro_recall == 1.0


def both(photos: dict[str, tuple[str, str, str]]) -> tuple[Contender, Contender]:
    """Challenger and champion by the true class of each photo, and what the champion and the challenger say."""
    old = contender("m1", "abc", [(i, truth, before) for i, (truth, before, _) in photos.items()])
    new = contender("m2", "abc", [(i, truth, after) for i, (truth, _, after) in reversed(photos.items())])
    return new, old


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.text("xyz01", min_size=1, max_size=4),
        st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.sampled_from("abc")),
        max_size=7,
    ),
    st.floats(0, 1),
)
def test_few_photos_are_accepted_exactly_where_macro_recall_is_within_the_tolerance(
    photos: dict[str, tuple[str, str, str]], tolerance: float
) -> None:
    """Of so few photos neither a class is looked at alone nor does a sign test say anything but by six against one."""
    new, old = both(photos)
    verdict = judge(new, old, tolerance=tolerance)
    numbers = verdict.comparison
    assert numbers.n_common == len(photos)
    if photos:
        assert numbers.challenger_macro_recall is not None
        assert numbers.champion_macro_recall is not None
        difference = numbers.challenger_macro_recall - numbers.champion_macro_recall
        is_within = difference >= -tolerance - 1e-9
        is_chance = numbers.right_to_wrong < 6
        assert verdict.accepted == (is_within and is_chance)
        right = sum(a == t for t, _, a in photos.values()) - sum(b == t for t, b, _ in photos.values())
        assert numbers.wrong_to_right - numbers.right_to_wrong == right


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.text("xyz01", min_size=1, max_size=4),
        st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.sampled_from("abc")),
        min_size=1,
        max_size=40,
    ),
    st.floats(0, 1),
)
def test_nothing_is_accepted_beyond_the_tolerance_and_losing_nothing_is_always_accepted(
    photos: dict[str, tuple[str, str, str]], tolerance: float
) -> None:
    new, old = both(photos)
    verdict = judge(new, old, tolerance=tolerance)
    change = verdict.comparison.change
    assert change is not None
    if change < -tolerance - 1e-9:
        assert not verdict.accepted
    if not verdict.comparison.right_to_wrong:
        assert verdict.accepted
