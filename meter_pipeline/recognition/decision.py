"""From logits to a final label: a class, UNKNOWN or DARK, the rule that decided, and the words that say why.

`decide` makes one `Decision` per photo. A decision holds values; its label and the words of its reason follow from
these. `decision_table` turns decisions into the columns of tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from meter_pipeline.labels import FinalLabel, Rule
from meter_pipeline.photos.quality import is_dark
from meter_pipeline.recognition.features import Features
from meter_pipeline.recognition.guard import MOST_WHEN_NOT_SURE, Guard
from meter_pipeline.recognition.model_store import MeterModel
from meter_pipeline.recognition.scores import FAMILIAR_COLOURS, FAMILIAR_PRINT, Seen, nearest_known
from meter_pipeline.recognition.softmax import softmax
from meter_pipeline.recognition.temperature import at_temperature
from meter_pipeline.settings import DecisionSettings
from meter_pipeline.storage.tables import DECISION_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

CONFIDENCE_DECIMALS = 6
"""Decimals of confidences and guard scores: rules compare what the tables show."""
GUESSES = 3
"""Classes kept per photo, the most probable ones."""
_LABEL_OF_RULE = {Rule.DARK: FinalLabel.DARK, Rule.THRESHOLD: FinalLabel.UNKNOWN, Rule.GUARD: FinalLabel.UNKNOWN}
"""The final label where a rule keeps the best guess from being it."""
_ASPECT_OF_SCORE = {FAMILIAR_COLOURS: "colours", FAMILIAR_PRINT: "print"}
_ANY_OTHER_ASPECT = "looks as a whole"
"""In what a photo is unlike the known ones, by the score that says so."""


@dataclass(frozen=True)
class Guess:
    """A class that a photo may be of.

    Attributes:
        class_name: the class.
        probability: raw softmax as computed, 0 to 1.
    """

    class_name: str
    probability: float

    @property
    def confidence(self) -> float:
        """The probability as rules compare it and as tables and pages show it."""
        return round(self.probability, CONFIDENCE_DECIMALS)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is decided on one photo.

    Attributes:
        image_id: the photo.
        top3: the most probable classes, the best first; fewer than three where the model knows fewer.
        rule: what decided.
        limit: what the photo is below, so that the rule decided: a brightness, a confidence or a guard score, depending
            on the rule; None if the best guess was accepted.
        calibrated_confidence: chance that the best guess is right if the photo is of a known type, 0 to 1.
        is_capped: whether that chance was kept at `MOST_WHEN_NOT_SURE` or less: the best guess was accepted, but the
            photo is not quite like the known ones.
        guard_score: likeness to the known photos, a sum of scores; 0 is a typical known photo. See `guard`.
        least_familiar: name of the score (`scores.SCORES`) by which the photo is furthest from the known ones.
        brightness: mean luma, 0 to 255; None if it was not measured.
        nearest_known: image_id of the most similar known photo; None if the model keeps none.
        nearest_known_class: its class.
    """

    image_id: str
    top3: tuple[Guess, ...]
    rule: Rule
    limit: float | None = None
    calibrated_confidence: float
    is_capped: bool = False
    guard_score: float
    least_familiar: str
    brightness: float | None = None
    nearest_known: str | None = None
    nearest_known_class: str | None = None

    @property
    def best(self) -> Guess:
        """The most probable class."""
        return self.top3[0]

    @property
    def final_label(self) -> str:
        """A class, UNKNOWN or DARK."""
        return _LABEL_OF_RULE.get(self.rule, self.best.class_name)

    @property
    def reason(self) -> str:
        """The decision in words."""
        name, confidence = self.best.class_name, self.best.confidence
        match self.rule:
            case Rule.DARK:
                brightness = f"mean brightness {self.brightness:.0f} of 255"
                return f"Too dark to judge ({brightness}); at a guess {name}, {confidence:.0%}."
            case Rule.THRESHOLD:
                return f"Unsure: the best guess, {name}, has {confidence:.1%}, below {self.limit:.0%}."
            case Rule.GUARD:
                aspect = _ASPECT_OF_SCORE.get(self.least_familiar, _ANY_OTHER_ASPECT)
                likeness = f"likeness {self.guard_score:.2f}, at least {self.limit:.2f} expected"
                looks = f"{likeness}; furthest in its {aspect}"
                return f"Named {name} with {confidence:.1%}, but does not look like its known photos ({looks})."
        cap = f" Not quite like the known ones, so {MOST_WHEN_NOT_SURE:.0%} sure at most." if self.is_capped else ""
        return f"{name} with {confidence:.1%}.{cap}"


def decide(
    model: MeterModel, features: Features, rules: DecisionSettings, brightness: Mapping[str, float] | None = None
) -> list[Decision]:
    """Decide on photos from their features; the network is not needed.

    Args:
        model: whose features they are: its classes, reference photos and guard are used.
        features: logits and embeddings.
        rules: what makes a photo UNKNOWN or DARK.
        brightness: mean luma by image_id, 0 to 255; a photo without one is not DARK.

    Returns:
        One decision per photo that has features, in their order.
    """
    if not features.image_ids:
        return []
    known, guard = model.reference.known, model.guard
    seen = Seen(logits=features.logits, embeddings=features.embeddings.normalised())
    deviations = guard.deviations(seen, known)
    scores = deviations.sum(axis=0).tolist()
    # A tie goes to the last score of the guard, which is the most telling one.
    furthest = (len(deviations) - 1 - deviations[::-1].argmin(axis=0)).tolist()
    nearest = nearest_known(seen.embeddings.pretrained, known.embeddings.pretrained).tolist()
    probabilities = class_probabilities(features.logits)
    guesses = _guesses(probabilities, model.classes)
    chances = at_temperature(probabilities, model.card.temperature).max(axis=1).tolist()
    luma = brightness or {}
    decisions = []
    for row, image_id in enumerate(features.image_ids):
        best, score = guesses[row][0], round(scores[row], CONFIDENCE_DECIMALS)
        rule, limit = _judge(best, score, luma.get(image_id), rules, guard)
        is_capped = rules.uses_guard and rule == Rule.ACCEPTED and not guard.is_sure(best.class_name, score)
        chance = min(chances[row], MOST_WHEN_NOT_SURE) if is_capped else chances[row]
        near = nearest[row]
        decisions.append(
            Decision(
                image_id=image_id,
                top3=guesses[row],
                rule=rule,
                limit=limit,
                calibrated_confidence=round(chance, CONFIDENCE_DECIMALS),
                is_capped=is_capped,
                guard_score=score,
                least_familiar=guard.terms[furthest[row]].score,
                brightness=luma.get(image_id),
                nearest_known=model.reference.image_ids[near] if near >= 0 else None,
                nearest_known_class=model.classes[known.labels[near]] if near >= 0 else None,
            )
        )
    return decisions


def class_probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the softmax of logits (photos x classes), in double precision; no photos give no probabilities."""
    exact = logits.astype(np.float64)
    return softmax(exact) if len(exact) else exact


def best_first(probabilities: np.ndarray) -> np.ndarray:
    """Return the class indices of each photo, the most probable first; ties keep the classes' order.

    Args:
        probabilities: photos x classes.

    Returns:
        Photos x classes.
    """
    return np.argsort(-probabilities, axis=1, kind="stable")


def decision_table(decisions: Sequence[Decision], *, exact: bool = False) -> pd.DataFrame:
    """Return decisions as a table, one row per photo.

    Args:
        decisions: the decisions.
        exact: whether the top 3's confidences are the probabilities as computed, which metrics are made from; otherwise
            they are rounded to `CONFIDENCE_DECIMALS`.

    Returns:
        Columns `tables.DECISION_COLUMNS`; numbers are float64, everything else is text or None.
    """
    import pandas as pd

    def shown(guess: Guess) -> float:
        return guess.probability if exact else guess.confidence

    text: dict[str, list[object]] = {
        "image_id": [decision.image_id for decision in decisions],
        "final_prediction": [decision.final_label for decision in decisions],
        "nearest_known": [decision.nearest_known for decision in decisions],
        "nearest_known_class": [decision.nearest_known_class for decision in decisions],
        "rule": [decision.rule for decision in decisions],
        "reason": [decision.reason for decision in decisions],
    }
    numbers = {
        "calibrated_confidence": [decision.calibrated_confidence for decision in decisions],
        "guard_score": [decision.guard_score for decision in decisions],
    }
    for place in range(GUESSES):
        guesses = [decision.top3[place] if place < len(decision.top3) else None for decision in decisions]
        text[f"top{place + 1}_class"] = [guess.class_name if guess else None for guess in guesses]
        numbers[f"top{place + 1}_confidence"] = [shown(guess) if guess else np.nan for guess in guesses]
    columns: dict[str, pd.Series] = {name: pd.Series(values, dtype=object) for name, values in text.items()}
    columns |= {name: pd.Series(values, dtype=np.float64) for name, values in numbers.items()}
    return pd.DataFrame(columns)[list(DECISION_COLUMNS)]


def _guesses(probabilities: np.ndarray, classes: Sequence[str]) -> list[tuple[Guess, ...]]:
    """Return each photo's most probable classes, the best first."""
    first = best_first(probabilities)[:, :GUESSES]
    shares = np.take_along_axis(probabilities, first, axis=1)
    return [
        tuple(Guess(classes[index], share) for index, share in zip(indices, values, strict=True))
        for indices, values in zip(first.tolist(), shares.tolist(), strict=True)
    ]


def _judge(
    best: Guess, guard_score: float, brightness: float | None, rules: DecisionSettings, guard: Guard
) -> tuple[Rule, float | None]:
    """Return the rule that decides on a photo, and the limit that the photo is below."""
    if brightness is not None and is_dark(brightness, rules.dark_brightness):
        return Rule.DARK, rules.dark_brightness
    if best.confidence < rules.unknown_threshold:
        return Rule.THRESHOLD, rules.unknown_threshold
    threshold = guard.threshold_of(best.class_name) if rules.uses_guard else None
    if threshold is not None and guard_score < threshold:
        return Rule.GUARD, threshold
    return Rule.ACCEPTED, None
