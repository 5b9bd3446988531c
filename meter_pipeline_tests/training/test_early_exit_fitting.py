"""The limits from which a photo needs no closer views: above every photo whose answer would change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from meter_pipeline.recognition.early_exit import EarlyExit
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline.training import early_exit_fitting
from meter_pipeline.training.early_exit_fitting import FittedEarlyExit, fit_early_exit
from meter_pipeline.training.guard_fitting import FittedGuard, fit_guard
from meter_pipeline_tests.support.embedded_photos import KNOWN_CENTRES, known_photos, photos
from meter_pipeline_tests.training.test_guard_fitting import FOLDS, val_rows

HALF = (0.5, 0.5, 0.5)
VIEWS = Preprocess(HALF, HALF)


@pytest.fixture(autouse=True)
def _few_photos_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_exit_fitting, "FEWEST_KNOWN", 100)
    monkeypatch.setattr(early_exit_fitting, "FEWEST_HIDDEN", 60)


@pytest.fixture(scope="module")
def fitted() -> FittedGuard:
    """A guard from folds and val photos of made-up classes."""
    embeddings, labels = photos(KNOWN_CENTRES, 20, 1)
    known = known_photos(labels, tuned=embeddings)
    held_out = pd.concat([FOLDS, val_rows(known)], ignore_index=True)
    return fit_guard(known, held_out, known_flagged=0.05)


def whole(fitted: FittedGuard) -> pd.DataFrame:
    return fitted.held_out.drop(columns="guard_score")


def test_where_the_whole_says_the_same_most_known_photos_end_early(fitted: FittedGuard) -> None:
    found = fit_early_exit(fitted, whole(fitted), VIEWS)
    assert found.rule is not None
    assert found.known_early > 0.3
    assert found.changed <= 0.0025
    assert found.missed <= 0.005
    card = found.as_card()
    assert EarlyExit.from_card(card) == found.rule
    assert card["known_early"] == pytest.approx(found.known_early, abs=1e-4)


def test_the_margin_lies_above_photos_whose_answer_would_change(fitted: FittedGuard) -> None:
    rows = whole(fitted)
    surest = fitted.held_out["guard_score"].where(~rows["hidden"]).nlargest(30).index
    misled = rows.copy()
    misled.loc[surest, "predicted"] = "ANOTHER"
    misled.loc[surest, "confidence"] = 1.0
    plain, careful = (fit_early_exit(fitted, each, VIEWS) for each in (rows, misled))
    assert careful.rule is None or careful.rule.margin > plain.rule.margin  # type: ignore[union-attr]
    assert careful.changed <= 0.0025


@pytest.mark.parametrize(
    ("views", "keep", "why"),
    [
        (("squeezed",), slice(None), "no closer views"),
        (("squeezed", "centre", "meter"), slice(None), "no closer views"),
        (VIEWS.views, slice(0, 90), "Too few photos"),
    ],
)
def test_where_it_cannot_be_chosen_every_photo_gets_all_views(
    fitted: FittedGuard, views: tuple[str, ...], keep: slice, why: str
) -> None:
    less = FittedGuard(guard=fitted.guard, held_out=fitted.held_out.iloc[keep])
    found = fit_early_exit(less, whole(less), Preprocess(HALF, HALF, views=views))
    assert found.rule is None
    assert why in found.note
    assert found.as_card() == {"note": found.note}


def test_a_fold_that_the_guard_passed_over_is_passed_over_here(fitted: FittedGuard) -> None:
    """Once each table left out folds by its own count, and a training ended where they differed."""
    rows = whole(fitted)
    of_a_fold = rows.index[rows["fold"] == 1]
    fewer = FittedGuard(guard=fitted.guard, held_out=fitted.held_out.drop(index=of_a_fold))
    misnamed = rows.assign(correct=rows["correct"] & (rows["fold"] != 0))
    assert fit_early_exit(fewer, rows, VIEWS) == fit_early_exit(fewer, misnamed, VIEWS)


def test_a_guard_that_is_off_says_of_no_photo_that_it_is_known(fitted: FittedGuard) -> None:
    off = FittedGuard(guard=type(fitted.guard)(fitted.guard.terms, None), held_out=fitted.held_out)
    assert fit_early_exit(off, whole(off), VIEWS).rule is None


def test_what_it_would_spare_has_to_be_worth_it(fitted: FittedGuard) -> None:
    rows = whole(fitted).assign(confidence=np.float64(0.1))
    found = fit_early_exit(fitted, rows, VIEWS)
    assert isinstance(found, FittedEarlyExit)
    assert found.rule is None
    assert "not worth it" in found.note
