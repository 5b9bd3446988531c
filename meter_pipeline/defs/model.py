"""The model: trained, evaluated, put into use if it is no worse, and the embeddings of what it knows."""

from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from meter_pipeline.defs.dataset import dataset_split
from meter_pipeline.defs.folder_contents import data_version
from meter_pipeline.defs.metadata import check_result, column_schema, frame_table, inline_png, table_result
from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.defs.run_config import overrides_of
from meter_pipeline.errors import MeterError
from meter_pipeline.settings import CacheSettings, DecisionSettings, GateSettings, TrainingSettings, UnknownSettings
from meter_pipeline.storage.tables import DATASET_SPLIT, EVALUATION_AUDIT, KNOWN_EMBEDDINGS, LABELLED_FEATURES

if TYPE_CHECKING:
    from meter_pipeline.evaluation.unknown_curves import UnknownCurve
    from meter_pipeline.storage.layout import Layout

GROUP = "model"


class TrainConfig(overrides_of(TrainingSettings)):  # type: ignore[misc]
    """Overrides of the settings for this run."""


class EvaluationConfig(overrides_of(UnknownSettings)):  # type: ignore[misc]
    """Overrides of the settings for this run."""


class GateConfig(overrides_of(GateSettings)):  # type: ignore[misc]
    """Overrides of the settings for this run, or a person's word on which model is in use, with who says so and why.

    With neither `accept` nor `roll_back` the gate judges the model that the last training produced.
    """

    accept: str | None = Field(default=None, description="Version of a model to take into use, whatever the gate said.")
    roll_back: bool = Field(default=False, description="Go back to the model that was in use before.")
    roll_back_to: str = Field(default="", description="Version to go back to; empty: the one in use before.")
    why: str = Field(default="", description="The reason, for the history; needed with accept and roll_back.")
    by: str = Field(default="", description="Who says so.")


@dg.asset(group_name=GROUP, deps=[dataset_split], code_version="3", pool="training", kinds={"pytorch"})
def trained_model(config: TrainConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """Weights and their card, trained head first, then the last block; once for the same photos and settings."""
    from meter_pipeline.evaluation.plots import history_png
    from meter_pipeline.training.trained_model import train_model

    settings = pipeline.settings(config)
    with pipeline.working("training") as layout:
        split, training = layout.lake.frame(DATASET_SPLIT), TrainingSettings.from_settings(settings)
        card = train_model(split, layout, training, caching=CacheSettings.from_settings(settings))
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
            data_version=dg.DataVersion(data_version("trained_model", layout)),
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
    group_name=GROUP, deps=[evaluation_report, trained_model], code_version="2", pool="training", kinds={"pytorch"}
)
def champion_model(config: GateConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """The model in use: the one last trained if it passes the gate, or the one that a person chose."""
    from meter_pipeline.recognition.model_card import load_card

    settings = pipeline.settings(config)
    is_chosen = config.accept is not None or config.roll_back
    # A person goes back at once, also while a model trains; the history has a lock of its own.
    with pipeline.working("choice" if is_chosen else "training") as layout:
        if is_chosen:
            said = _chosen_by_a_person(layout, config)
        else:
            said = _judged(layout, DecisionSettings.from_settings(settings), GateSettings.from_settings(settings))
        card = load_card(layout)
        return dg.MaterializeResult(
            metadata={"model in use": card.version, **said, "card": dg.MetadataValue.json(card.as_dict())},
            data_version=dg.DataVersion(data_version("champion_model", layout)),
        )


def _judged(layout: "Layout", rules: DecisionSettings, gate: GateSettings) -> dict[str, Any]:
    """Let the gate judge the model that the last training came to, and return what the UI shows of it."""
    from meter_pipeline.evaluation.champion_model import challenge
    from meter_pipeline.recognition.model_card import challenger_version

    challenger = challenger_version(layout)
    verdict = challenge(layout, challenger, rules, gate)
    return {
        "challenger": challenger,
        "outcome": verdict.outcome.value,
        "reason": verdict.reason,
        "by class": frame_table(verdict.comparison.by_class, rows=200),
    }


def _chosen_by_a_person(layout: "Layout", config: GateConfig) -> dict[str, Any]:
    """Take the model into use that the run config names, and return what the UI shows of it."""
    from meter_pipeline.evaluation.champion_model import accept_model, roll_back

    if config.roll_back:
        chosen = roll_back(layout, config.roll_back_to or None, why=config.why, by=config.by)
    elif config.accept:
        chosen = accept_model(layout, config.accept, why=config.why, by=config.by)
    else:
        raise MeterError(
            "No version was given.", where="accept", fix="Write the version into the run config; meter model list."
        )
    return {"chosen by a person": True, "reason": chosen.reason}


@dg.asset_check(asset=champion_model)
def challenger_passed_the_gate(pipeline: Pipeline) -> dg.AssetCheckResult:
    """The model that the last training came to is in use, or a person went back from it."""
    from meter_pipeline.evaluation.gate_report import challenger_problems

    return check_result(challenger_problems(pipeline.layout), severity=dg.AssetCheckSeverity.WARN)


@dg.asset_check(asset=champion_model, blocking=True)
def champion_fits_its_weights(pipeline: Pipeline) -> dg.AssetCheckResult:
    """The champion's card names the classes its weights have outputs for, and the weights are those of the card."""
    # By hashes, without loading it: this is asked on the way into `meter dev` too, and torch takes seconds.
    from meter_pipeline.recognition.model_card import load_card
    from meter_pipeline.recognition.model_files import model_problems

    try:
        card = load_card(pipeline.layout)
    except MeterError as error:
        return check_result([str(error)])
    return check_result(model_problems(pipeline.layout.models / card.version))


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
