"""The fold: the last live word counts, an undo holds wherever it stands, and every computer comes to the same."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.labels import Action
from meter_pipeline.review.class_names import ClassNames
from meter_pipeline.review.decisions import Decision
from meter_pipeline.review.state import Apart, State, fold
from meter_pipeline_tests.support.review_decisions import decision, histories, photo

NAME, JUNK, LATER, GROUP, EXCLUDE, UNDO = (
    Action.NAME,
    Action.JUNK,
    Action.LATER,
    Action.GROUP,
    Action.EXCLUDE,
    Action.UNDO,
)


def folded(*decisions: Decision, classes: Sequence[str] = ()) -> State:
    return fold(decisions, ClassNames(classes))


def said(state: State) -> dict[str, str]:
    """Return the live word by short name of the photo."""
    return {
        bytes.fromhex(image_id).rstrip(b"\0").decode(): word.label or word.decision.action.value
        for image_id, word in state.words.items()
    }


def names(photos: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(photo, photos))


def test_the_last_word_counts_photo_by_photo() -> None:
    state = folded(
        decision("d1", NAME, ["a", "b", "c"], "NEW"),
        decision("d2", JUNK, ["b"], minute=1),
        decision("d3", LATER, ["c"], minute=2),
    )
    assert said(state) == {"a": "NEW", "b": "junk", "c": "later"}
    assert {image_id for image_id, word in state.words.items() if word.decided} == {photo("a"), photo("b")}


def test_times_decide_and_then_ids() -> None:
    assert said(folded(decision("d2", NAME, ["a"], "A"), decision("d1", NAME, ["a"], "B")))["a"] == "A"
    assert said(folded(decision("d2", NAME, ["a"], "A"), decision("d1", NAME, ["a"], "B", minute=1)))["a"] == "B"


def test_a_decision_counts_after_those_that_it_saw_though_a_clock_is_an_hour_wrong() -> None:
    fast = decision("d1", NAME, ["a"], "A", minute=60, by="anna")
    right = decision("d2", NAME, ["a"], "B", minute=10, by="bob", saw={"a": "d1"})
    state = folded(fast, right)
    assert said(state) == {"a": "B"}
    assert not state.words[photo("a")].disputed


def test_what_waits_for_a_circle_comes_after_it_though_its_clock_is_the_earliest() -> None:
    state = folded(
        decision("d1", NAME, ["a"], "A", saw={"a": "d3"}),
        decision("d2", NAME, ["a"], "B", minute=1, saw={"a": "d3"}),
        decision("d3", NAME, ["a"], "C", minute=2, saw={"a": "d2"}),
    )
    assert [each.decision_id for each in state.order] == ["d2", "d3", "d1"]
    (problem,) = state.problems
    assert "d2 and d3" in problem


def test_two_that_claim_to_have_seen_each_other_are_said_and_still_count() -> None:
    state = folded(
        decision("d1", NAME, ["a"], "A", saw={"a": "d2"}),
        decision("d2", NAME, ["a"], "B", minute=1, saw={"a": "d1"}),
        decision("d3", JUNK, ["b"], minute=2, saw={"b": "d3"}),
    )
    assert said(state) == {"a": "B", "b": "junk"}
    assert len(state.problems) == 2


class TestUndo:
    def test_it_takes_its_decision_out_and_the_word_before_counts_again(self) -> None:
        state = folded(
            decision("d1", NAME, ["a", "b"], "A"),
            decision("d2", JUNK, ["a"], minute=1),
            decision("u1", UNDO, minute=2, undoes="d2"),
        )
        assert said(state) == {"a": "A", "b": "A"}

    def test_it_holds_wherever_it_stands_in_the_order(self) -> None:
        state = folded(decision("u1", UNDO, undoes="d1"), decision("d1", JUNK, ["a"], minute=5))
        assert said(state) == {}

    def test_it_may_arrive_before_what_it_undoes(self) -> None:
        undo, junk = decision("u1", UNDO, minute=2, undoes="d1"), decision("d1", JUNK, ["a"])
        (problem,) = folded(undo).problems
        assert "not there yet" in problem
        assert folded(undo, junk).problems == ()
        assert said(folded(undo, junk)) == {}

    @pytest.mark.parametrize("undos", range(6))
    def test_an_undo_may_be_undone_and_so_on(self, undos: int) -> None:
        chain = [decision(f"u{n}", UNDO, minute=n, undoes=f"u{n - 1}" if n else "d1") for n in range(undos)]
        assert said(folded(decision("d1", JUNK, ["a"]), *chain)) == ({} if undos % 2 else {"a": "junk"})

    def test_two_undos_of_one_decision_have_both_to_be_undone(self) -> None:
        junk = decision("d1", JUNK, ["a"])
        both = [decision(f"u{n}", UNDO, minute=n, undoes="d1") for n in (1, 2)]
        one_back = decision("v1", UNDO, minute=3, undoes="u1")
        assert said(folded(junk, *both, one_back)) == {}
        assert said(folded(junk, *both, one_back, decision("v2", UNDO, minute=4, undoes="u2"))) == {"a": "junk"}

    def test_undos_in_a_circle_have_no_effect_and_are_said(self) -> None:
        circle = [
            decision("u1", UNDO, undoes="u2"),
            decision("u2", UNDO, undoes="u1"),
            decision("u3", UNDO, undoes="u3"),
        ]
        state = folded(decision("d1", JUNK, ["a"]), *circle)
        assert said(state) == {"a": "junk"}
        assert len(state.problems) == 3
        assert state.live == {"d1"}

    def test_a_chain_of_thousands_is_followed(self) -> None:
        chain = [decision(f"u{n:05d}", UNDO, minute=n, undoes=f"u{n - 1:05d}" if n else "d1") for n in range(5001)]
        assert said(folded(decision("d1", JUNK, ["a"]), *chain)) == {}


class TestDisputes:
    ANNA = decision("d1", NAME, ["a"], "A", by="anna")
    BOB = decision("d2", NAME, ["a"], "B", by="bob", minute=1)

    def test_two_people_who_did_not_know_of_each_other(self) -> None:
        word = folded(self.ANNA, self.BOB).words[photo("a")]
        assert (word.label, word.disputed_labels, word.decided) == ("B", ("A",), True)

    def test_whoever_saw_the_other_word_replaces_it(self) -> None:
        knowing = replace(self.BOB, seen=decision("x", JUNK, saw={"a": "d1"}).seen)
        assert not folded(self.ANNA, knowing).words[photo("a")].disputed

    def test_one_person_may_change_his_mind_and_nobody_is_one_person(self) -> None:
        for by in ("anna", ""):
            state = folded(replace(self.ANNA, by=by), replace(self.BOB, by=by))
            assert not state.words[photo("a")].disputed

    def test_the_same_class_in_another_spelling_is_no_dispute(self) -> None:
        assert not folded(self.ANNA, replace(self.BOB, target=" a ")).words[photo("a")].disputed

    def test_whoever_saw_both_settles_it(self) -> None:
        third = decision("d3", NAME, ["a"], "C", by="carol", minute=2, saw={"a": "d2"})
        word = folded(self.ANNA, self.BOB, third).words[photo("a")]
        assert (word.label, word.disputed) == ("C", False)

    def test_a_third_who_saw_neither_does_not(self) -> None:
        third = decision("d3", NAME, ["a"], "C", by="carol", minute=2, saw={"a": None})
        assert folded(self.ANNA, self.BOB, third).words[photo("a")].disputed_labels == ("A", "B")

    def test_an_undo_of_either_ends_it(self) -> None:
        for undone, left in (("d1", "B"), ("d2", "A")):
            word = folded(self.ANNA, self.BOB, decision("u1", UNDO, minute=3, undoes=undone)).words[photo("a")]
            assert (word.label, word.disputed) == (left, False)

    def test_junk_is_a_word_and_no_dispute(self) -> None:
        assert not folded(self.ANNA, decision("d2", JUNK, ["a"], by="bob", minute=1)).words[photo("a")].disputed


def test_a_class_is_spelled_as_it_is_there_and_an_impossible_one_is_said_and_has_no_effect() -> None:
    state = folded(
        decision("d1", NAME, ["a"], " lt2"),
        decision("d2", NAME, ["b"], "Unknown", minute=1),
        decision("d3", JUNK, ["b"], minute=0.5),
        classes=["LT2"],
    )
    assert said(state) == {"a": "LT2", "b": "junk"}
    assert "d2" in state.problems[0]


def test_a_class_that_cannot_be_is_no_problem_any_more_once_it_is_undone() -> None:
    state = folded(decision("d1", NAME, ["a"], "UNKNOWN"), decision("u1", UNDO, minute=1, undoes="d1"))
    assert (state.problems, state.taken_back) == ((), {"d1"})


def test_an_undone_spelling_of_a_new_class_does_not_stay() -> None:
    history = [decision("d1", NAME, ["a"], "Hpl x"), decision("d2", NAME, ["b"], "HPL X", minute=1)]
    assert said(folded(*history)) == {"a": "Hpl x", "b": "Hpl x"}
    assert said(folded(*history, decision("u1", UNDO, minute=2, undoes="d1"))) == {"b": "HPL X"}


def test_a_fold_leaves_the_classes_as_they_were() -> None:
    classes = ClassNames(["LT2"])
    fold([decision("d1", NAME, ["a"], "NEW")], classes)
    assert classes.known == ["LT2"]


class TestConstraints:
    def test_groups_that_share_a_photo_are_one(self) -> None:
        state = folded(
            decision("d1", GROUP, ["a", "b"]),
            decision("d2", GROUP, ["c", "d"], minute=1),
            decision("d3", GROUP, ["b", "c"], minute=2),
            decision("d4", GROUP, ["z"], minute=3),
        )
        assert state.together == (names("abcd"),)

    def test_what_is_taken_out_leaves_its_group_and_stays_apart_from_it(self) -> None:
        state = folded(
            decision("d1", GROUP, ["a", "b", "c"]), decision("d2", EXCLUDE, ["c"], ["a", "b", "c"], minute=1)
        )
        assert state.together == (names("ab"),)
        assert state.apart == (Apart(names("c"), names("ab")),)
        assert said(state)["c"] == "exclude"

    def test_without_a_target_it_is_the_group_that_the_photos_are_in(self) -> None:
        state = folded(decision("d1", GROUP, ["a", "b", "c"]), decision("d2", EXCLUDE, ["c"], minute=1))
        assert (state.together, state.apart) == ((names("ab"),), (Apart(names("c"), names("ab")),))

    def test_strangers_that_are_grouped_stay_together_and_apart(self) -> None:
        state = folded(decision("d1", EXCLUDE, ["x", "y"], ["a", "b"]), decision("d2", GROUP, ["x", "y"], minute=1))
        assert (state.together, state.apart) == ((names("xy"),), (Apart(names("xy"), names("ab")),))

    def test_a_later_group_of_both_sides_wins(self) -> None:
        state = folded(decision("d1", EXCLUDE, ["x", "y"], ["a", "b"]), decision("d2", GROUP, ["x", "a"], minute=1))
        assert state.together == (names("ax"),)
        assert state.apart == (Apart(names("x"), names("b")), Apart(names("y"), names("ab")))

    def test_an_exclusion_is_over_where_all_of_it_is_one_group(self) -> None:
        state = folded(decision("d1", EXCLUDE, ["x"], ["a", "b"]), decision("d2", GROUP, ["x", "a", "b"], minute=1))
        assert (state.together, state.apart) == ((names("abx"),), ())

    def test_an_undone_group_or_exclusion_is_gone(self) -> None:
        state = folded(
            decision("d1", GROUP, ["a", "b"]),
            decision("d2", EXCLUDE, ["c"], ["a"], minute=1),
            decision("u1", UNDO, minute=2, undoes="d1"),
            decision("u2", UNDO, minute=3, undoes="d2"),
        )
        assert (state.together, state.apart, state.words) == ((), (), {})

    def test_a_photo_taken_out_of_what_is_named_now_is_not_of_that_class(self) -> None:
        exclude, name = decision("d1", EXCLUDE, ["x"], ["a", "b"]), decision("d2", NAME, ["a", "b"], "NEW", minute=1)
        assert folded(exclude, name).words[photo("x")].not_labels == ("NEW",)
        assert folded(exclude).words[photo("x")].not_labels == ()
        renamed = decision("d3", NAME, ["x"], "NEW", minute=2)
        assert folded(exclude, name, renamed).words[photo("x")].not_labels == ()


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(history: list[Decision], rng: random.Random) -> None:
    shuffled = list(history)
    rng.shuffle(shuffled)
    assert folded(*shuffled) == folded(*history)


@given(histories())
def test_nothing_comes_before_what_its_author_saw(history: list[Decision]) -> None:
    state = folded(*history)
    place = {each.decision_id: number for number, each in enumerate(state.order)}
    assert len(place) == len(history)
    for each in state.order:
        seen = {before for before in each.seen.last_decisions.values() if before is not None}
        assert all(place[before] < place[each.decision_id] for before in seen)


@given(histories())
def test_constraints_never_contradict_each_other(history: list[Decision]) -> None:
    state = folded(*history)
    grouped = [image_id for group in state.together for image_id in group]
    assert len(grouped) == len(set(grouped))
    group_of = {image_id: number for number, group in enumerate(state.together) for image_id in group}
    for apart in state.apart:
        assert not set(apart.out) & set(apart.group)
        pairs = [(x, y) for x in apart.out for y in apart.group]
        assert all(group_of.get(x, x) != group_of.get(y, y) for x, y in pairs)


@given(histories(), st.data())
def test_an_undo_and_its_undo_leave_everything_as_it_was(history: list[Decision], data: st.DataObject) -> None:
    before = folded(*history)
    undone = data.draw(st.sampled_from([each.decision_id for each in history]))
    pair = [decision("x1", UNDO, minute=9, undoes=undone), decision("x2", UNDO, minute=10, undoes="x1")]
    after = folded(*history, *pair)
    assert (after.words, after.together, after.apart) == (before.words, before.together, before.apart)
    assert after.live - {"x1", "x2"} == before.live
