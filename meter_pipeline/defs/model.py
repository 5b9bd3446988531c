"""The model: trained, evaluated, put into use if it is no worse, and the embeddings of what it knows."""

from typing import TYPE_CHECKING

import dagster as dg

from meter_pipeline.defs.dataset import dataset_split
from meter_pipeline.defs.metadata import check_result, column_schema, frame_table, inline_png, table_result
from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.defs.run_config import overrides_of
from meter_pipeline.errors import MeterError
from meter_pipeline.settings import DecisionSettings, GateSettings, TrainingSettings, UnknownSettings
from meter_pipeline.storage.tables import DATASET_SPLIT, EVALUATION_AUDIT, KNOWN_EMBEDDINGS, LABELLED_FEATURES

if TYPE_CHECKING:
    from meter_pipeline.evaluation.unknown_curves import UnknownCurve

GROUP = "model"


class TrainConfig(overrides_of(TrainingSettings)):  # type: ignore[misc]
    """Overrides of the settings for this run."""


class EvaluationConfig(overrides_of(UnknownSettings)):  # type: ignore[misc]
    """Overrides of the settings for this run."""


class GateConfig(overrides_of(GateSettings)):  # type: ignore[misc]
    """Overrides of the settings for this run."""


@dg.asset(group_name=GROUP, deps=[dataset_split], code_version="3", pool="training", kinds={"pytorch"})
def trained_model(config: TrainConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """Weights and their card, trained head first, then the last block; once for the same photos and settings."""
    from meter_pipeline.evaluation.plots import history_png
    from meter_pipeline.training.trained_model import train_model

    settings = pipeline.settings(config)
    with pipeline.working("training") as layout:
        card = train_model(layout.lake.frame(DATASET_SPLIT), layout, TrainingSettings.from_settings(settings))
        return dg.MaterializeResult(
            metadata={
                "version": card.version,
                "backbone": card.backbone,
                "classes": len(card.classes),
                "epochs": len(card.history),
                "history": inline_png(history_png(card.history)),
                "weights": dg.MetadataValue.path(layout.models / card.version),
                "guard": card.guard.get("summary") or card.guard.get("note", ""),
                "classes with too few photos for the guard's promise": ", ".join(card.guard.get("below_promise", [])),
                **{name: round(value, 4) for name, value in card.metrics.items() if isinstance(value, int | float)},
            },
            data_version=dg.DataVersion(f"{card.version}-{card.weights_sha256[:16]}"),
        )


@dg.asset(
    group_name=GROUP,
    deps=[trained_model, dataset_split],
    code_version="2",
    pool="training",
    kinds={"python", "html"},
    metadata=column_schema(EVALUATION_AUDIT, LABELLED_FEATURES),
)
def evaluation_report(config: EvaluationConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """Accuracy, per-class report, confusion matrix, calibration, UNKNOWN curves, and one audit row per test photo."""
    from meter_pipeline.evaluation import plots
    from meter_pipeline.evaluation.evaluation_report import assess
    from meter_pipeline.recognition.model_card import challenger_version

    rules = DecisionSettings.from_settings(pipeline.settings(config))
    with pipeline.working("training") as layout:
        found = assess(layout, challenger_version(layout), rules)
        evaluation = found.evaluation
        return table_result(
            layout.lake,
            EVALUATION_AUDIT,
            metadata={
                **{name: value for name, value in evaluation.metrics().items() if value is not None},
                "page": dg.MetadataValue.path(found.page),
                "confusion matrix": inline_png(plots.confusion_matrix_png(evaluation)),
                "reliability": inline_png(plots.reliability_png(evaluation)),
                "accuracy against coverage": inline_png(plots.coverage_png(evaluation)),
                **_unknown_curves(found.unknown_curves),
                "per class": frame_table(evaluation.per_class, rows=200),
                "most confused pairs": frame_table(evaluation.confused_pairs),
            },
        )


def _unknown_curves(curves: "dict[str, UnknownCurve]") -> dict[str, dg.MarkdownMetadataValue]:
    """Return how well the guard separates types it was never shown, as the UI shows it; nothing if not measured."""
    from meter_pipeline.evaluation import plots
    from meter_pipeline.evaluation.unknown_curves import curve_table

    if not curves:
        return {}
    return {
        "UNKNOWN curves": inline_png(plots.unknown_curves_png(curves)),
        "UNKNOWN, of types never shown": frame_table(curve_table(curves)),
    }


@dg.asset(
    group_name=GROUP, deps=[evaluation_report, trained_model], code_version="1", pool="training", kinds={"pytorch"}
)
def champion_model(config: GateConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """The model in use: the one last trained if it is no worse than the one before it on the same test photos."""
    from meter_pipeline.evaluation.champion_model import challenge
    from meter_pipeline.recognition.model_card import challenger_version, load_card

    settings = pipeline.settings(config)
    with pipeline.working("training") as layout:
        challenger = challenger_version(layout)
        rules, gate = DecisionSettings.from_settings(settings), GateSettings.from_settings(settings)
        verdict = challenge(layout, challenger, rules, gate)
        card = load_card(layout)
        return dg.MaterializeResult(
            metadata={
                "model in use": card.version,
                "challenger": challenger,
                "accepted": verdict.accepted,
                "reason": verdict.reason,
                "by class": frame_table(verdict.comparison.by_class, rows=200),
                "card": dg.MetadataValue.json(card.as_dict()),
            },
            data_version=dg.DataVersion(f"{card.version}-{card.weights_sha256[:16]}"),
        )


@dg.asset_check(asset=champion_model, blocking=True)
def champion_fits_its_weights(pipeline: Pipeline) -> dg.AssetCheckResult:
    """The champion's card names the classes its weights have outputs for, and the weights are those of the card."""
    from meter_pipeline.recognition.model_store import load_model

    try:
        model = load_model(pipeline.layout)
    except MeterError as error:
        return check_result([str(error)])
    return check_result([] if model.classes else ["The champion has no classes."])


@dg.asset(
    group_name=GROUP,
    deps=[champion_model, dataset_split],
    code_version="1",
    pool="training",
    kinds={"pytorch", "parquet"},
    metadata=column_schema(KNOWN_EMBEDDINGS, LABELLED_FEATURES),
)
def known_embeddings(pipeline: Pipeline) -> dg.MaterializeResult:
    """One row per labelled photo: its embeddings under the champion, for analysis and for the dashboard."""
    from meter_pipeline.recognition.known_embeddings import embed_known

    with pipeline.working("training") as layout:
        computed = embed_known(layout)
        return table_result(layout.lake, KNOWN_EMBEDDINGS, metadata={"computed now": computed}, preview=False)
