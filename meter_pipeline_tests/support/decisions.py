"""Decisions on photos without a model: from class probabilities that a test writes down."""

from __future__ import annotations

from collections.abc import Mapping

from meter_pipeline.labels import Rule
from meter_pipeline.recognition.decision import GUESSES, Decision, Guess


def decided(
    image_id: str,
    probabilities: Mapping[str, float],
    rule: Rule = Rule.ACCEPTED,
    *,
    calibrated_confidence: float = 0.8,
    guard_score: float = 0.5,
) -> Decision:
    """Return a decision on a photo with these probabilities by class; one that a rule spoke against is below 0.5."""
    guesses = [Guess(name, float(probability)) for name, probability in probabilities.items()]
    best = sorted(guesses, key=lambda guess: -guess.probability)[:GUESSES]
    return Decision(
        image_id=image_id,
        top3=tuple(best),
        rule=rule,
        limit=None if rule == Rule.ACCEPTED else 0.5,
        calibrated_confidence=calibrated_confidence,
        guard_score=guard_score,
        least_familiar="max-logit",
    )
