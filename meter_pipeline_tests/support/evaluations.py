"""Evaluations of models that were never trained, drawn at random with a seed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import softmax

from meter_pipeline.evaluation.figures import Evaluation, audit_frame, evaluate
from meter_pipeline_tests.support.decisions import decided


def results(classes: list[str], photos: int = 40, seed: int = 0) -> tuple[Evaluation, pd.DataFrame]:
    """A model that is right more often than not, its evaluation and its audit."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, len(classes), photos)
    logits = generator.normal(size=(photos, len(classes)))
    if photos:
        logits[np.arange(photos), truth] += 1
    probabilities, labels = softmax(logits, axis=1), [classes[index] for index in truth]
    audit = audit_frame(
        [
            decided(f"id{number:03d}", dict(zip(classes, row, strict=True)), calibrated_confidence=0.9 * max(row))
            for number, row in enumerate(probabilities)
        ],
        model_version="0001-abc",
        paths=[f"{label}/{number:03d}.jpg" for number, label in enumerate(labels)],
        true_classes=labels,
    )
    return evaluate(probabilities, labels, classes, train_counts=dict.fromkeys(classes, 9)), audit
