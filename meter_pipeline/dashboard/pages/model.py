"""The page Model: the card and the evaluation of the model in use, or of any other version."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from meter_pipeline.dashboard import charts
from meter_pipeline.dashboard.browsing import models as browsing
from meter_pipeline.dashboard.context import Now
from meter_pipeline.dashboard.correcting import ask_name, keep_name
from meter_pipeline.dashboard.gate_details import show_answer, show_gate, show_history, show_not_in_use
from meter_pipeline.dashboard.processes import training_runs
from meter_pipeline.dashboard.processes.training_runs import Progress, TrainingRun
from meter_pipeline.dashboard.saying import saying_problems
from meter_pipeline.dashboard.text import GUARD, moment, percent, plain
from meter_pipeline.errors import MeterError
from meter_pipeline.labels import Split, counted
from meter_pipeline.recognition.model_card import ModelCard

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Figure:
    """A number of the evaluation.

    Attributes:
        name: in `metrics.json`.
        title: what it is called on the page.
        meaning: what it is, for the help beside it.
    """

    name: str
    title: str
    meaning: str


FIGURES = (
    Figure("accuracy", "Accuracy", "Share of the test photos whose best guess is right."),
    Figure("macro_recall", "Macro recall", "Mean of the recalls of the classes: each class counts the same."),
    Figure("top3_accuracy", "Top-3 accuracy", "Share of the test photos whose class is among the three best guesses."),
    Figure(
        "accepted_accuracy",
        "Accuracy of the answered",
        "Accuracy on the test photos whose confidence reaches the threshold below which a photo is UNKNOWN.",
    ),
    Figure(
        "unknown_share",
        "Sent to UNKNOWN",
        "Share of the test photos, all of known classes, whose confidence is below that threshold.",
    ),
    Figure(
        "ece",
        "Calibration error",
        "Expected calibration error (ECE): mean distance between confidence and accuracy, 0 to 1; 0 is perfect.",
    ),
)


FIGURE_WIDTH = 230
"""Pixels; four fit beside the menu on a laptop."""
LOOK_AGAIN_S = 3
"""Seconds until the page looks again how far a training is."""
ENDED = {
    Progress.ENDED_WELL: ("ended well", ":material/check_circle:"),
    Progress.FAILED: ("failed", ":material/error:"),
    Progress.LOST: ("ended, and nobody noted how: see the last that it printed", ":material/error:"),
}
"""How a training ended, in words, and the icon beside it."""


def show(now: Now) -> None:
    """Draw the page."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title("Model")
        _train_button(now)
    models = browsing.list_models(now.layout)
    in_use = models.champion.version if models.champion else None
    if in_use is None and not now.layout.champion.exists():
        now.show_no_model()
    for problem in models.problems:
        st.warning(plain(problem))
    show_answer()
    _show_training(now)
    versions = list(models.cards)
    if not versions:
        return
    if waits := browsing.not_in_use(now.layout):
        show_not_in_use(waits)
    chosen = st.selectbox(
        "Version",
        versions,
        index=versions.index(in_use) if in_use in versions else 0,
        format_func=lambda version: f"{version} (in use)" if version == in_use else version,
        width=420,
    )
    gate = browsing.read_gate(now.layout, chosen)
    if models.champion and chosen == in_use:
        why = "" if gate and models.champion.reason == gate.reason else models.champion.reason
        st.caption(plain(f"In use since {moment(models.champion.since)}. {why}"))
    if gate is not None:
        show_gate(now, gate, is_in_use=chosen == in_use)
    _show_card(models.cards[chosen])
    saying_problems(lambda: _show_evaluation(browsing.read_evaluation(now.layout, chosen)))()
    _show_versions(browsing.version_rows(now.layout, models))
    show_history(now, models.history, before=models.before)


def _train_button(now: Now) -> None:
    run = training_runs.look_at_training(now.layout)
    if run is not None and run.progress == Progress.RUNNING:
        return
    with st.popover("Train a new model", icon=":material/model_training:"):
        st.caption(
            "On all labelled photos and what people named. It runs by itself, in a process of its own, like any other "
            "run in Dagster's UI; minutes with a GPU, longer without. Whether its model comes into use, the gate says."
        )
        with st.form("train", border=False):
            by = ask_name("train_by")
            asked = st.form_submit_button("Start the training", type="primary")
        if asked:
            keep_name(by)
            _start(now, by)


def _show_training(now: Now) -> None:
    """Draw the training that was started from here last: as it goes on, or how it ended."""
    run = training_runs.look_at_training(now.layout)
    if run is None:
        return
    if run.progress == Progress.RUNNING:
        st.fragment(run_every=LOOK_AGAIN_S)(saying_problems(_show_running))(now)
    else:
        _show_ended(run)


def _start(now: Now, by: str) -> None:
    try:
        training_runs.start_training(now.layout, by=by)
    except MeterError as error:
        st.error(plain(str(error)))
        return
    st.rerun()


def _show_running(now: Now) -> None:
    """Draw a training under way; this alone is drawn again and again, until it has ended."""
    run = training_runs.look_at_training(now.layout)
    if run is None or run.progress != Progress.RUNNING:
        st.rerun()
    st.info(plain(f"A training is under way, started {moment(run.since)}{_by(run)}."), icon=":material/hourglass_top:")
    _show_lines(run)


def _show_ended(run: TrainingRun) -> None:
    words, icon = ENDED[run.progress]
    title = plain(f"The training of {moment(run.since)}{_by(run)} {words}")
    with st.expander(title, icon=icon, expanded=run.progress != Progress.ENDED_WELL):
        _show_lines(run)


def _show_lines(run: TrainingRun) -> None:
    if run.last_lines:
        st.code(run.last_lines, language=None, wrap_lines=True)
    st.caption(f"All that it printed: `{run.log}`")


def _by(run: TrainingRun) -> str:
    return f" by {run.by}" if run.by else ""


def _show_card(card: ModelCard) -> None:
    facts = {
        "Backbone": card.backbone,
        "Pretrained weights": card.weights_source,
        "Photos": ", ".join(f"{card.counts[name]} {name}" for name in Split if name in card.counts),
        "Trained": moment(card.created_at),
        "Temperature of the calibrated confidence": f"{card.temperature:.3f}",
        **browsing.guard_facts(card.guard),
        "Named classes that were too small to be learned": ", ".join(browsing.waiting_facts(card.waiting)) or "none",
        "Version of the data set (hash of the split)": card.data_version,
    }
    left, right = st.columns([3, 2])
    with left:
        st.table(
            [{"fact": name, "value": plain(value)} for name, value in facts.items()],
            border="horizontal",
            hide_index=True,
            hide_header=True,
            alt="The model's card",
        )
        st.caption(plain(f"{GUARD} {card.guard.get('summary', '')}"))
    with right.expander(counted(len(card.classes), "class", "classes")):
        st.dataframe({"class": card.classes}, hide_index=True, alt="The classes of the model")


def _show_evaluation(evaluation: browsing.EvaluationFiles) -> None:
    metrics = evaluation.metrics
    st.subheader("Evaluation")
    if not metrics:
        st.info("This model has not been evaluated yet.")
        return
    if not metrics.get("photos"):
        st.info("There are no test photos: a class needs more photos before some are held out.")
        return
    _show_figures(metrics)
    if evaluation.page is not None:
        st.download_button(
            "Evaluation page (HTML)",
            evaluation.page.read_bytes,
            f"evaluation_{evaluation.folder.name}.html",
            "text/html",
            on_click="ignore",
            icon=":material/download:",
        )
    _show_charts(evaluation.tables)
    caught = browsing.caught_shares(metrics)
    if caught:
        _show_caught(caught)
    _show_tables(evaluation.tables)


def _show_figures(metrics: dict[str, Any]) -> None:
    with st.container(horizontal=True):
        for figure in FIGURES:
            value = metrics.get(figure.name)
            shown = f"{value:.3f}" if figure.name == "ece" and value is not None else percent(value)
            st.metric(figure.title, shown, border=True, width=FIGURE_WIDTH, help=figure.meaning)
    low, high = percent(metrics.get("accuracy_low")), percent(metrics.get("accuracy_high"))
    st.caption(
        f"Measured on {counted(metrics['photos'], 'test photo')}. 95% confidence interval of the accuracy: {low} to "
        f"{high}. UNKNOWN here: a confidence below the threshold of {percent(metrics.get('unknown_threshold'), 0)}; "
        "the guard is measured separately, below."
    )


def _show_charts(tables: dict[str, pd.DataFrame]) -> None:
    if "confusion_matrix" in tables:
        st.markdown("**Confusion matrix**: rows are true classes, columns predicted ones; blue is right, orange wrong")
        charts.show_confusion(tables["confusion_matrix"])
    left, right = st.columns(2)
    with left:
        if "reliability" in tables:
            st.markdown("**Calibration**: accuracy by confidence; a perfectly calibrated model is on the dashed line")
            charts.show_reliability(tables["reliability"])
    with right:
        if "coverage" in tables:
            st.markdown("**UNKNOWN**: the higher the threshold, the fewer photos are answered, and the more are right")
            charts.show_coverage(tables["coverage"])


def _show_caught(caught: list[browsing.CaughtShare]) -> None:
    st.markdown("**Photos of unknown types**: how many of them the guard catches")
    st.dataframe(
        [
            {
                "photos of": row.photos_of,
                "photos": row.photos,
                "AUROC": row.auroc,
                "known photos sent to UNKNOWN, at most": row.known_limit,
                "guard score below": row.threshold,
                "caught": row.caught,
            }
            for row in caught
        ],
        hide_index=True,
        column_config={
            "AUROC": st.column_config.NumberColumn(format="%.3f"),
            "guard score below": st.column_config.NumberColumn(format="%.2f"),
            **_shares("known photos sent to UNKNOWN, at most", "caught"),
        },
        alt="How many photos of unknown types the guard catches",
    )
    st.caption(
        "Hidden classes: trainings like this one were repeated with some of the classes left out, in turn; the photos "
        "of these classes stand for unknown types. AUROC: how often a known photo scores above one of them (0.5 is "
        "chance)."
    )


def _show_tables(tables: dict[str, pd.DataFrame]) -> None:
    if "classification_report" in tables:
        st.markdown("**By class**")
        names = {"f1": "F1", "support": "test photos", "predicted": "predictions", Split.TRAIN: "train photos"}
        st.dataframe(
            tables["classification_report"].rename(columns=names),
            hide_index=True,
            column_config=_shares("precision", "recall", "F1"),
            alt="Precision, recall and F1 of each class",
        )
        if tables["classification_report"].isna().any(axis=None):
            st.caption("None: not defined, as the class has no test photos or was never predicted.")
    if len(tables.get("confused_pairs", ())):
        st.markdown("**Most confused pairs**")
        names = {"true_class": "true class", "predicted_class": "predicted class", "count": "photos"}
        st.dataframe(
            tables["confused_pairs"].rename(columns=names | {"share": "share of the class"}),
            hide_index=True,
            column_config=_shares("share of the class"),
            alt="Pairs of classes that were confused",
        )


def _show_versions(rows: list[browsing.VersionRow]) -> None:
    st.subheader("All versions")
    st.dataframe(
        [asdict(row) for row in rows],
        hide_index=True,
        column_config={
            "in_use": st.column_config.CheckboxColumn("in use"),
            "trained": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm"),
            "photos": "train photos",
            "accuracy": st.column_config.NumberColumn(format="percent"),
            "macro_recall": st.column_config.NumberColumn("macro recall", format="percent"),
            "gate": st.column_config.TextColumn(help="What the gate said: accepted, held (a person decides), refused."),
        },
        alt="All model versions with their figures",
    )
    st.caption(
        "Accuracy and macro recall are those on the test photos of each version's own evaluation. Before a new version "
        "comes into use, both are compared on the same photos."
    )


def _shares(*columns: str) -> dict[str, Any]:
    return {name: st.column_config.NumberColumn(format="percent") for name in columns}
