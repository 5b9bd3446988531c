"""Predictions of single photos on the terminal: one block per photo for people, or one JSON array for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape

from meter_pipeline.labels import Rule
from meter_pipeline.recognition.single_photo import Prediction

BAR_WIDTH = 30
"""Characters of a bar that stands for a confidence of 1."""
COLOURS: dict[str, str] = {
    Rule.ACCEPTED: "green",
    Rule.THRESHOLD: "yellow",
    Rule.GUARD: "yellow",
    Rule.DARK: "magenta",
    Rule.ERROR: "red",
}


def print_predictions(predictions: Sequence[Prediction], console: Console, *, as_json: bool) -> None:
    """Print predictions, in order."""
    if as_json:
        print(json.dumps([_for_programs(prediction) for prediction in predictions], indent=2, ensure_ascii=False))
        return
    for prediction in predictions:
        colour = COLOURS[prediction.rule]
        console.print(
            f"{escape(prediction.image)}: [bold {colour}]{escape(prediction.final_prediction)}[/]", soft_wrap=True
        )
        console.print(f"  {prediction.reason}", markup=False, highlight=False, soft_wrap=True)
        for place, guess in enumerate(prediction.decision.top3 if prediction.decision else (), start=1):
            bar = "█" * round(guess.confidence * BAR_WIDTH)
            line = f"  {place}. {guess.class_name:<28} {guess.confidence:7.2%}  {bar}"
            console.print(line, markup=False, highlight=False)


def _for_programs(prediction: Prediction) -> dict[str, object]:
    """Return what `meter predict --json` says of a photo; confidences are raw softmax, 0 to 1."""
    decision = prediction.decision
    return {
        "image": prediction.image,
        "final_prediction": prediction.final_prediction,
        "confidence": decision.best.confidence if decision else None,
        "top3": [[guess.class_name, guess.confidence] for guess in decision.top3] if decision else [],
        "rule": prediction.rule,
        "reason": prediction.reason,
        "nearest_known": decision.nearest_known if decision else None,
        "nearest_known_class": decision.nearest_known_class if decision else None,
        "guard_score": decision.guard_score if decision else None,
        "calibrated_confidence": decision.calibrated_confidence if decision else None,
        "quality": asdict(prediction.quality) if prediction.quality else None,
        "model_version": prediction.model_version,
    }
