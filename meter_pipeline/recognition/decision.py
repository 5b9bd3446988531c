"""From logits to a final label: a class, UNKNOWN or DARK, with the rule that decided; the top 3 are always kept."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import softmax

from meter_pipeline.labels import FinalLabel, Rule
from meter_pipeline.photos.quality import is_dark
from meter_pipeline.recognition.features import Features
from meter_pipeline.recognition.guard import MOST_WHEN_NOT_SURE, Guard
from meter_pipeline.recognition.model_store import MeterModel
from meter_pipeline.recognition.scores import FAMILIAR_COLOURS, FAMILIAR_PRINT, Seen, nearest_known, normalised
from meter_pipeline.recognition.temperature import at_temperature
from meter_pipeline.settings import DecisionSettings
from meter_pipeline.storage.tables import DECISION_COLUMNS

CONFIDENCE_DECIMALS = 6
SIGNS, LOOKS = {FAMILIAR_COLOURS: "colours", FAMILIAR_PRINT: "print"}, "looks as a whole"
"""In what a photo is unlike the known ones, by the score that says so; of several alike the last, the most telling."""


def decide(
    model: MeterModel, features: Features, rules: DecisionSettings, brightness: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Decide on photos whose features are there; the network is not needed.

    Args:
        model: whose features they are: its classes, reference photos and guard threshold.
        features: logits and embeddings.
        rules: what makes a photo UNKNOWN or DARK.
        brightness: mean luma by image_id; a photo without is not DARK.

    Returns:
        A row a photo that has features, in their order; columns `tables.DECISION_COLUMNS`.
    """
    if not features.image_ids:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in DECISION_COLUMNS})
    probabilities = softmax(features.logits.astype(np.float64), axis=1)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    known, guard = model.reference.known, Guard.from_card(model.card.guard)
    seen = Seen(
        logits=features.logits,
        pretrained=normalised(features.pretrained_embedding),
        tuned=normalised(features.embedding),
        colours=features.colours,
        printed=features.printed,
    )
    deviations = guard.deviations(seen, known)
    scores, furthest = deviations.sum(axis=0), len(deviations) - 1 - deviations[::-1].argmin(axis=0)
    nearest = nearest_known(seen.pretrained, known.pretrained)
    calibrated = at_temperature(probabilities, model.card.temperature).max(axis=1)
    rows = []
    for i, image_id in enumerate(features.image_ids):
        row: dict[str, object] = {"image_id": image_id}
        for k in range(3):
            has = k < len(model.classes)
            row[f"top{k + 1}_class"] = model.classes[order[i, k]] if has else None
            row[f"top{k + 1}_confidence"] = (
                round(float(probabilities[i, order[i, k]]), CONFIDENCE_DECIMALS) if has else None
            )
        score = row["guard_score"] = round(float(scores[i]), CONFIDENCE_DECIMALS)
        row["nearest_known"] = model.reference.image_ids[nearest[i]] if nearest[i] >= 0 else None
        row["nearest_known_class"] = model.classes[known.labels[nearest[i]]] if nearest[i] >= 0 else None
        luma = (brightness or {}).get(image_id)
        threshold = guard.threshold_of(str(row["top1_class"])) if rules.uses_guard else None
        sign = SIGNS.get(guard.terms[furthest[i]].score, LOOKS)
        row["final_prediction"], row["rule"], row["reason"] = _judge(row, rules, threshold, luma, sign)
        chance, is_sure = float(calibrated[i]), guard.is_sure(str(row["top1_class"]), score)
        if rules.uses_guard and row["rule"] == Rule.ACCEPTED and not is_sure:
            row["reason"] = f"{row['reason']} Not quite like the known ones, so {MOST_WHEN_NOT_SURE:.0%} sure at most."
            chance = min(chance, MOST_WHEN_NOT_SURE)
        row["calibrated_confidence"] = round(chance, CONFIDENCE_DECIMALS)
        rows.append(row)
    return pd.DataFrame(rows, columns=DECISION_COLUMNS)


def _judge(
    row: Mapping[str, object], rules: DecisionSettings, threshold: float | None, luma: float | None, sign: str
) -> tuple[str, str, str]:
    name, confidence, score = str(row["top1_class"]), float(str(row["top1_confidence"])), float(str(row["guard_score"]))
    if luma is not None and is_dark(luma, rules.dark_brightness):
        return (
            FinalLabel.DARK,
            Rule.DARK,
            f"Too dark to judge (mean brightness {luma:.0f} of 255); at a guess {name}, {confidence:.0%}.",
        )
    if confidence < rules.unknown_threshold:
        reason = f"Unsure: the best guess, {name}, has {confidence:.1%}, below {rules.unknown_threshold:.0%}."
        return FinalLabel.UNKNOWN, Rule.THRESHOLD, reason
    if threshold is not None and score < threshold:
        seen = f"likeness {score:.2f}, at least {threshold:.2f} expected; furthest in its {sign}"
        return (
            FinalLabel.UNKNOWN,
            Rule.GUARD,
            f"Named {name} with {confidence:.1%}, but does not look like its known photos ({seen}).",
        )
    return name, Rule.ACCEPTED, f"{name} with {confidence:.1%}."
