"""The model: trained, evaluated, put into use if it is no worse, and the embeddings of what it knows."""

from __future__ import annotations

import dagster as dg

from meter_pipeline.core.tables import DATASET_SPLIT, EVALUATION_AUDIT, KNOWN_EMBEDDINGS
from meter_pipeline.defs.dataset import dataset_split
from meter_pipeline.defs.presentation import check_result, column_schema, frame_table, inline_png, table_result
from meter_pipeline.defs.resources import Pipeline

GROUP = "model"


class TrainConfig(dg.Config):
    """Overrides of the settings for this run."""

    backbone: str | None = None
    weights: str | None = None
    epochs_head: int | None = None
    epochs_tune: int | None = None
    seed: int | None = None


class GateConfig(dg.Config):
    """Overrides of the settings for this run."""

    champion_tolerance: float | None = None


@dg.asset(group_name=GROUP, deps=[dataset_split], code_version="1", pool="training", kinds={"pytorch"})
def trained_model(context: dg.AssetExecutionContext, config: TrainConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """Weights and their card: head first, then the last block. The same photos and settings are not trained again."""
    from meter_pipeline.core.evaluation_plots import history_png
    from meter_pipeline.core.training import TrainingConfig, train_model

    settings = pipeline.settings(config)
    with pipeline.working("training") as layout:
        card = train_model(layout.lake.frame(DATASET_SPLIT), layout, TrainingConfig.from_settings(settings))
        return dg.MaterializeResult(
            metadata={
                "version": card.version,
                "backbone": card.backbone,
                "classes": len(card.classes),
                "epochs": len(card.history),
                "history": inline_png(history_png(card.history)),
                "weights": dg.MetadataValue.path(layout.models / card.version),
                **{name: value for name, value in card.metrics.items() if isinstance(value, int | float)},
            },
            data_version=dg.DataVersion(f"{card.version}-{card.weights_sha256[:16]}"),
        )
