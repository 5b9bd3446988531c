"""Predictions of single photos on the terminal: a block a photo for people, or one JSON array for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape

from meter_pipeline.labels import Rule
from meter_pipeline.recognition.single_photo import Prediction

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
        print(json.dumps([asdict(prediction) for prediction in predictions], indent=2, ensure_ascii=False))
        return
    for prediction in predictions:
        colour = COLOURS[prediction.rule]
        console.print(
            f"{escape(prediction.image)}: [bold {colour}]{escape(prediction.final_prediction)}[/]", soft_wrap=True
        )
        console.print(f"  {prediction.reason}", markup=False, highlight=False, soft_wrap=True)
        for place, (name, confidence) in enumerate(prediction.top3, start=1):
            bar = "█" * round(confidence * 30)
            console.print(f"  {place}. {name:<28} {confidence:7.2%}  {bar}", markup=False, highlight=False)
