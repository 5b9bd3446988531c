"""Cards of models that were never trained, for whatever reads cards alone."""

from __future__ import annotations

from collections.abc import Sequence

from meter_pipeline.recognition.model_card import WEIGHTS, ModelCard, save_card
from meter_pipeline.storage.layout import Layout


def write_card(layout: Layout, version: str, classes: Sequence[str]) -> ModelCard:
    """Put the card of a model with these classes into its folder."""
    card = ModelCard(
        version=version,
        created_at="2026-01-02T03:04:05+00:00",
        classes=list(classes),
        backbone="resnet18",
        weights_source="none",
        dimensions=2,
        preprocess={},
        preprocess_id="0",
        data_version="0",
        config={},
        counts={"train": 7, "val": 2, "test": 1},
        waiting={},
        trained_on=[],
        history=[],
        metrics={},
        guard={},
        temperature=1.0,
        libraries={},
    )
    folder = layout.models / version
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS).touch()
    return save_card(folder, card)
