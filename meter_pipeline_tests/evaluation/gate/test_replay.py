"""The gate on the last drops: which names change, and whether a model gains by naming everything."""

from __future__ import annotations

from collections.abc import Mapping

from meter_pipeline.evaluation.gate.drop_photos import DropPhotos, Word
from meter_pipeline.evaluation.gate.replay import PHOTOS_SHOWN, ChangeKind, Replay, measure_replay
from meter_pipeline.evaluation.gate.verdict import Verdict, judge
from meter_pipeline.labels import Outcome
from meter_pipeline_tests.support.contenders import answers, contender

PHOTOS = answers({"a": 10, "b": 10})
OLD = contender("m1", "ab", PHOTOS)
NEW = contender("m2", "abc", PHOTOS)


def drops(labels: Mapping[tuple[str, str], int], words: Mapping[str, Word] | None = None) -> DropPhotos:
    """So many photos with each final label before and after; their ids count on."""
    pairs = [pair for pair, count in labels.items() for _ in range(count)]
    ids = [f"p{number}" for number in range(len(pairs))]
    return DropPhotos(
        last=tuple(ids),
        words=words or {},
        champion={image_id: before for image_id, (before, _) in zip(ids, pairs, strict=True)},
        challenger={image_id: after for image_id, (_, after) in zip(ids, pairs, strict=True)},
    )


def verdict_on(photos: DropPhotos) -> Verdict:
    return judge(NEW, OLD, tolerance=0.01, drops=photos)


def replayed(photos: DropPhotos) -> Replay:
    return measure_replay(photos, old_classes=frozenset("ab"), kept_classes=frozenset("ab"))


def test_two_of_a_hundred_names_may_change_and_three_are_held_with_their_photos() -> None:
    assert verdict_on(drops({("a", "a"): 98, ("a", "b"): 2})).accepted
    held = verdict_on(drops({("a", "b"): 3, ("a", "a"): 97}))
    assert held.outcome == Outcome.HELD
    assert "In the last drops 3 of 100 sure names change to another old class (a to b (3)); 2% is allowed." in (
        held.reason
    )
    (change,) = held.replay.changes
    assert (change.before, change.after, change.kind) == ("a", "b", ChangeKind.OLD_TO_OLD)
    assert change.image_ids == ("p0", "p1", "p2")
    assert verdict_on(drops({("a", "b"): 2, ("a", "a"): 8})).accepted, "two photos prove nothing"


def test_changes_to_a_new_class_and_to_unknown_are_counted_and_hold_nothing() -> None:
    verdict = verdict_on(drops({("a", "c"): 30, ("b", "UNKNOWN"): 5, ("UNKNOWN", "c"): 40, ("DARK", "DARK"): 2}))
    assert verdict.accepted
    assert verdict.replay.photos_of(ChangeKind.TO_NEW) == 70
    assert verdict.replay.photos_of(ChangeKind.TO_UNKNOWN) == 5
    assert "Names in the last 77 photos of drops: 70 to a new class, 5 to UNKNOWN." in verdict.reason
    assert len(verdict.replay.changes[0].image_ids) == PHOTOS_SHOWN


def test_a_model_that_names_everything_is_refused() -> None:
    """All known test photos are still right, so nothing else shows it."""
    verdict = verdict_on(drops({("UNKNOWN", "a"): 20, ("UNKNOWN", "UNKNOWN"): 5, ("b", "b"): 50}))
    assert verdict.outcome == Outcome.REFUSED
    assert (
        "It gains by naming everything: in the last drops 20 of 25 UNKNOWN photos that nobody decided on get an old"
        " class's name; 20% is allowed."
    ) in verdict.reason
    assert verdict_on(drops({("UNKNOWN", "a"): 9})).outcome == Outcome.HELD, "too few photos to refuse it"
    assert verdict_on(drops({("UNKNOWN", "a"): 10, ("UNKNOWN", "UNKNOWN"): 20})).outcome == Outcome.HELD
    assert verdict_on(drops({("UNKNOWN", "a"): 4, ("UNKNOWN", "UNKNOWN"): 16})).accepted


def test_a_person_who_named_a_photo_is_right_whatever_the_models_say() -> None:
    words = {f"p{number}": Word(is_decided=True, label="b") for number in range(10)}
    better = verdict_on(drops({("a", "b"): 10, ("a", "a"): 50}, words))
    assert better.accepted
    assert (better.replay.judged, better.replay.corrected, better.replay.changed) == (10, 10, 0)
    assert "Of 10 photos that people named, 10 are right instead of wrong." in better.reason
    worse = verdict_on(drops({("b", "a"): 10, ("a", "a"): 50}, words))
    assert worse.outcome == Outcome.HELD
    assert "Of 10 photos that people named it names 10 otherwise, and the model in use does not." in worse.reason


def test_photos_of_a_class_that_waits_must_not_get_old_names() -> None:
    """They were UNKNOWN and a person named them: neither model knows that class yet."""
    words = {f"p{number}": Word(is_decided=True, label="waits") for number in range(4)}
    verdict = verdict_on(drops({("UNKNOWN", "a"): 4, ("b", "b"): 10}, words))
    assert verdict.replay.unknown == 0
    assert verdict.outcome == Outcome.HELD
    assert verdict.replay.contradicted == ("p0", "p1", "p2", "p3")


def test_junk_and_photos_that_were_trained_on_are_no_part_of_it() -> None:
    photos = drops({("UNKNOWN", "a"): 4}, {"p0": Word(is_decided=True, is_junk=True)})
    trained = DropPhotos(photos.last, photos.words, photos.champion, photos.challenger, frozenset({"p1"}))
    assert (replayed(trained).photos, replayed(trained).unknown) == (2, 2)


def test_a_photo_that_people_disagree_on_is_not_compared_with_a_word_but_is_decided() -> None:
    found = replayed(drops({("UNKNOWN", "a"): 1, ("a", "b"): 1}, {"p0": Word(is_decided=True)}))
    assert (found.judged, found.unknown, found.changed) == (0, 0, 1)


def test_a_class_that_was_dropped_on_purpose_has_to_change_its_name() -> None:
    found = measure_replay(
        drops({("gone", "a"): 50, ("a", "a"): 10}), old_classes=frozenset({"a", "gone"}), kept_classes=frozenset("a")
    )
    assert (found.sure, found.changed) == (10, 0)
