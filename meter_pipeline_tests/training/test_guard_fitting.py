"""The guard: chosen and measured on hidden classes, its limits from known photos alone."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from meter_pipeline.recognition.colours import COLOURS
from meter_pipeline.recognition.embeddings import Embeddings
from meter_pipeline.recognition.guard import Guard, Term
from meter_pipeline.recognition.scores import FAMILIAR_PRINT, SCORES, Known, Seen
from meter_pipeline.settings import UnknownSettings
from meter_pipeline.training.guard_fitting import (
    ASSUMED_UNKNOWN_THRESHOLD,
    CANDIDATES,
    fit_guard,
    leave_group_out_similarity,
)
from meter_pipeline.training.held_out import OWN, held_out_rows, no_held_out_rows
from meter_pipeline_tests.support.embedded_photos import (
    CLASSES,
    KNOWN_CENTRES,
    STRANGE_CENTRES,
    guard_scores,
    known_photos,
    photos,
    seen,
    train_photos,
)


def rows(answers: Seen, known: Known, labels: np.ndarray, fold: int) -> pd.DataFrame:
    ids, names = [f"{fold}-{number}" for number in range(len(labels))], [str(label) for label in labels]
    outputs = [f"OF_{fold}_{number}" for number in range(answers.logits.shape[1])]
    return held_out_rows(answers, known, labels, image_ids=ids, classes=names, outputs=outputs, fold=fold)


def fold(hidden: list[int], number: int, each: int = 20) -> pd.DataFrame:
    """What a model without the hidden classes says of held-out photos of the others and of the hidden ones."""
    shown, seed = [name for name in range(CLASSES) if name not in hidden], 10 * number + 10
    of_known, labels = photos(KNOWN_CENTRES[shown], each, seed)
    of_hidden, _ = photos(KNOWN_CENTRES[hidden], each, seed + 1)
    train, train_labels = photos(KNOWN_CENTRES[shown], each, seed + 2)
    known = known_photos(train_labels, tuned=train)
    answers = seen(np.concatenate([of_known, of_hidden]), KNOWN_CENTRES[shown])
    return rows(answers, known, np.concatenate([labels, np.full(len(of_hidden), -1)]), number)


def val_rows(known: Known, sureness: float = 12.0) -> pd.DataFrame:
    embeddings, labels = photos(KNOWN_CENTRES, 15, 2)
    return rows(seen(embeddings, sureness=sureness), known, labels, OWN)


FOLDS = pd.concat([fold([0, 1, 2], 0), fold([3, 4], 1), fold([5, 6, 7], 2)], ignore_index=True)

READ_NOTHING = [name for name in SCORES if name != FAMILIAR_PRINT]
"""The scores of photos whose plates were not read."""


@pytest.mark.parametrize("share", [0.02, 0.05, 0.2])
def test_it_flags_the_share_of_known_photos_it_was_told_and_catches_strangers(share: float) -> None:
    known = train_photos()
    fitted = fit_guard(known, pd.concat([FOLDS, val_rows(known)]), known_flagged=share)
    assert fitted.guard.threshold is not None
    new, _ = photos(KNOWN_CENTRES, 40, 3)
    flagged = np.mean(guard_scores(fitted.guard, seen(new), known) < fitted.guard.threshold)
    assert share - 0.06 < flagged < share + 0.04  # it errs on the side of fewer: the wider of two spreads, and sure
    strange, _ = photos(STRANGE_CENTRES, 20, 4)
    assert np.mean(guard_scores(fitted.guard, seen(strange), known) < fitted.guard.threshold) > 0.95


def test_what_it_catches_of_hidden_classes_is_measured_with_the_softmax_rule() -> None:
    fitted = fit_guard(train_photos(), FOLDS, known_flagged=0.05)
    assert fitted.hidden_caught is not None
    assert fitted.hidden_caught > 0.9
    assert 0.01 < fitted.known_flagged <= 0.05
    assert f"never shown, it sent {fitted.hidden_caught:.0%} to review" in fitted.summary
    alone = set(SCORES) - {FAMILIAR_PRINT}  # no plate was read
    assert set(fitted.tried) == {*(" + ".join(candidate) for candidate in CANDIDATES), *alone}
    of_hidden = fitted.held_out["hidden"]
    assert of_hidden.value_counts().to_dict() == {False: 320, True: 160}
    scores = fitted.held_out["guard_score"]
    assert scores[of_hidden].median() < scores[~of_hidden].quantile(0.05)


def test_sums_are_compared_by_classes_however_many_photos_there_are_of_one() -> None:
    named = FOLDS.assign(**{"class": FOLDS["class"].where(~FOLDS["hidden"], "OF_" + FOLDS["image_id"].str[-1])})
    passing = named["class"] == "OF_3"  # a class that no sum tells from the known ones
    usual_scores = {name: named.loc[~named["hidden"], name].quantile(0.6) for name in SCORES}
    named = named.assign(**{name: np.where(passing, score, named[name]) for name, score in usual_scores.items()})
    lopsided = pd.concat([named, *[named[passing]] * 9], ignore_index=True)
    usual, with_a_large_class = (fit_guard(train_photos(), rows, known_flagged=0.05) for rows in (named, lopsided))
    assert usual.hidden_caught == pytest.approx(0.9)
    assert with_a_large_class.hidden_caught == pytest.approx(9 / 19)
    assert with_a_large_class.tried == pytest.approx(usual.tried)
    assert usual.tried[" + ".join(CANDIDATES[0])] == pytest.approx(0.9)


def test_a_tenth_of_known_photos_is_not_sure_and_strangers_that_pass_are_not() -> None:
    known = train_photos()
    fitted = fit_guard(known, pd.concat([FOLDS, val_rows(known)]), known_flagged=0.05)
    guard = fitted.guard
    assert guard.threshold is not None
    assert guard.sure_from is not None
    assert guard.threshold < guard.sure_from
    new = guard_scores(guard, seen(photos(KNOWN_CENTRES, 40, 3)[0]), known)
    not_sure = np.mean([not guard.is_sure("any", score) for score in new])
    assert 0.03 < not_sure < 0.16
    near, _ = photos(KNOWN_CENTRES, 40, 4, spread=0.18)  # like no known one, and not so far that all are flagged
    passed = [score for score in guard_scores(guard, seen(near), known) if score >= guard.threshold]
    assert len(passed) > 10
    assert np.mean([not guard.is_sure("any", score) for score in passed]) > 2 * not_sure
    assert fitted.known_not_sure is not None
    assert fitted.hidden_not_sure is not None
    assert fitted.known_flagged + fitted.known_not_sure == pytest.approx(0.1, abs=0.03)
    assert f"of known photos, {fitted.known_flagged:.0%} and {fitted.known_not_sure:.0%}." in fitted.summary
    assert not guard.is_sure("any", float("nan"))


def test_without_folds_val_photos_set_the_threshold_and_nothing_is_said_of_unknown_types() -> None:
    known = train_photos()
    fitted = fit_guard(known, val_rows(known), known_flagged=0.05)
    assert [term.score for term in fitted.guard.terms] == list(CANDIDATES[0])
    assert (fitted.hidden_caught, fitted.summary, fitted.tried) == (None, "", {})
    assert "not measured" in fitted.note


def test_without_anything_held_out_it_compares_with_the_train_photos_alone() -> None:
    fitted = fit_guard(train_photos(), no_held_out_rows(), known_flagged=0.05)
    assert fitted.guard.terms == (Term("pretrained similarity", 0.0, 1.0),)
    assert fitted.guard.threshold is not None
    assert 0 < fitted.guard.threshold < 1
    assert fitted.guard.sure_from is not None
    assert fitted.guard.threshold < fitted.guard.sure_from < 1


@pytest.mark.slow
def test_no_more_known_photos_are_flagged_than_asked_for_in_four_of_five_draws() -> None:
    flagged = []
    for draw in range(60):
        of_known, labels = photos(KNOWN_CENTRES, 15, 1000 + draw)
        known = train_photos()
        fitted = fit_guard(known, rows(seen(of_known), known, labels, OWN), known_flagged=0.05)
        new, _ = photos(KNOWN_CENTRES, 100, 5000 + draw)
        flagged.append(np.mean(guard_scores(fitted.guard, seen(new), known) < (fitted.guard.threshold or 0.0)))
    assert np.mean(np.array(flagged) <= 0.05) >= 0.7
    assert np.mean(flagged) > 0.01


def test_a_plate_of_another_colour_is_another_type() -> None:
    """Everything else is the same: the network sees the housing, and the colours say that no known photo is so blue."""
    known, blue = train_photos(), np.eye(COLOURS)[3]
    fitted = fit_guard(known, pd.concat([FOLDS, val_rows(known)]), known_flagged=0.05)
    new = seen(photos(KNOWN_CENTRES, 20, 3)[0])
    colours = 0.4 * new.embeddings.colours + 0.6 * blue
    repainted = replace(new, embeddings=replace(new.embeddings, colours=colours))
    assert fitted.guard.threshold is not None
    assert np.mean(guard_scores(fitted.guard, new, known) < fitted.guard.threshold) < 0.1
    assert np.mean(guard_scores(fitted.guard, repainted, known) < fitted.guard.threshold) > 0.5


def test_a_class_whose_photos_all_look_alike_has_a_higher_threshold_where_enough_are_held_out() -> None:
    """What is far for a class of one burst after another is near for the others, and would pass by their threshold."""
    steady, _ = photos(KNOWN_CENTRES[:1], 40, 21, spread=0.03)
    others, labels = photos(KNOWN_CENTRES[1:], 8, 22)
    train, held = (np.concatenate([steady[half], others[half]]) for half in (slice(None, None, 2), slice(1, None, 2)))
    held = np.concatenate([held, photos(KNOWN_CENTRES[:1], 40, 23, spread=0.03)[0]])
    train_labels = np.concatenate([np.zeros(20, np.int64), labels[::2] + 1])
    held_labels = np.concatenate([np.zeros(20, np.int64), labels[1::2] + 1, np.zeros(40, np.int64)])
    known = known_photos(train_labels, tuned=train)
    guard = fit_guard(known, rows(seen(held), known, held_labels, OWN), known_flagged=0.05).guard
    assert guard.threshold is not None
    assert set(guard.class_thresholds) == {f"OF_{OWN}_0"}
    assert guard.threshold_of(f"OF_{OWN}_0") > guard.threshold
    assert guard.threshold_of(f"OF_{OWN}_1") == guard.threshold
    # What passes as such a class would otherwise always be called sure.
    assert set(guard.class_sure_from) == {f"OF_{OWN}_0"}
    assert guard.class_sure_from[f"OF_{OWN}_0"] > guard.threshold_of(f"OF_{OWN}_0")
    just_passes = guard.threshold_of(f"OF_{OWN}_0") + 1e-6
    assert not guard.is_sure(f"OF_{OWN}_0", just_passes)
    assert guard.is_sure(f"OF_{OWN}_1", just_passes)
    assert Guard.from_card(json.loads(json.dumps(guard.as_card()))) == guard


def test_known_photos_that_were_named_wrongly_do_not_lower_the_limits() -> None:
    known = train_photos()
    clean = pd.concat([FOLDS, val_rows(known)], ignore_index=True)
    wrong = clean[~clean["hidden"]].iloc[::12].assign(correct=False, **dict.fromkeys(READ_NOTHING, -1e3))
    fitted = fit_guard(known, pd.concat([clean, wrong], ignore_index=True), known_flagged=0.05)
    usual = fit_guard(known, clean, known_flagged=0.05)
    assert fitted.guard == usual.guard
    assert usual.known_flagged is not None
    assert fitted.known_flagged is not None
    assert fitted.known_flagged > usual.known_flagged + 0.05  # they are known photos all the same


def test_what_classes_of_few_photos_keep_of_the_promise_is_measured() -> None:
    known = train_photos()
    rare = FOLDS.assign(class_photos=np.where(FOLDS["hidden"], 0, np.where(FOLDS["class"] == "0", 4, 20)))
    low = (rare["class_photos"] == 4) & (rare["image_id"].str[-1] == "1")
    assert 0 < low.sum() < (rare["class_photos"] == 4).sum()
    rare = rare.assign(**{name: np.where(low, -1e3, rare[name]) for name in READ_NOTHING})
    fitted = fit_guard(known, rare, known_flagged=0.1)
    assert fitted.needed is not None
    assert fitted.needed.photos == 20
    assert fitted.needed.flagged_below is not None
    assert fitted.needed.flagged_below >= low.sum() / (rare["class_photos"] == 4).sum()
    assert "fewer than 20 photos" in fitted.summary


def test_too_few_photos_make_no_threshold() -> None:
    fitted = fit_guard(train_photos(each=1), no_held_out_rows(), known_flagged=0.05)
    assert fitted.guard.threshold is None
    assert fitted.note.startswith("Off")


def test_where_the_softmax_rule_flags_enough_the_guard_adds_nothing() -> None:
    known = train_photos()
    fitted = fit_guard(known, val_rows(known, sureness=0.12), known_flagged=0.05)
    assert fitted.guard.threshold is None
    assert "softmax" in fitted.note
    assert (fitted.guard.sure_from, fitted.guard.class_sure_from) == (None, {})
    assert fitted.known_not_sure == 0
    assert fitted.guard.is_sure("any", -100.0)


def test_near_duplicates_do_not_raise_the_threshold() -> None:
    """With each photo there twice, a photo's own copy would make every known photo look perfectly familiar."""
    single = train_photos(each=10)
    twice = Known(
        labels=np.tile(single.labels, 2),
        groups=np.tile(single.groups, 2),
        embeddings=Embeddings.together([single.embeddings, single.embeddings]),
    )
    doubled = leave_group_out_similarity(twice)
    assert doubled.max() < 0.999
    assert doubled.mean() == pytest.approx(leave_group_out_similarity(single).mean(), abs=0.05)


def test_a_fold_that_held_out_hardly_any_known_photo_says_nothing() -> None:
    """Once a fold without known photos stopped the training; one with a single photo has no spread."""
    lone = fold([0], 3).query("hidden or image_id == '3-0'")
    hidden_only = fold([1], 4).query("hidden")
    fitted = fit_guard(train_photos(), pd.concat([FOLDS, lone, hidden_only], ignore_index=True), known_flagged=0.05)
    assert fitted.guard == fit_guard(train_photos(), FOLDS, known_flagged=0.05).guard


def test_print_joins_the_sum_where_plates_were_read_in_every_fold() -> None:
    known = train_photos()
    read = FOLDS.assign(**{FAMILIAR_PRINT: np.where(FOLDS["hidden"], -0.8, -0.1)})
    fitted = fit_guard(known, read, known_flagged=0.05)
    assert [term.score for term in fitted.guard.terms] == [*CANDIDATES[0], FAMILIAR_PRINT]
    assert np.isfinite([[term.median, term.spread] for term in fitted.guard.terms]).all()
    unread = read.assign(**{FAMILIAR_PRINT: read[FAMILIAR_PRINT].where(read["fold"] != 1)})
    assert [term.score for term in fit_guard(known, unread, known_flagged=0.05).guard.terms] == list(CANDIDATES[0])


def test_a_guard_is_fitted_beside_the_softmax_rule_that_is_the_default() -> None:
    """Whoever changes the setting's default has to change this with it, and to raise TRAINING_VERSION."""
    assert UnknownSettings().unknown_threshold == ASSUMED_UNKNOWN_THRESHOLD
