"""The page Model: the champion's card and evaluation, and the versions before it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from meter_pipeline.dashboard import charts
from meter_pipeline.dashboard.browsing import models as browsing
from meter_pipeline.dashboard.context import Now
from meter_pipeline.dashboard.text import counted, percent, plain

FIGURES = {
    "accuracy": "Accuracy",
    "macro_recall": "Macro recall",
    "top3_accuracy": "Among the first three",
    "accepted_accuracy": "Right where it answers",
    "unknown_share": "Known sent to UNKNOWN",
    "ece": "Calibration error",
}


def show(now: Now) -> None:
    """Draw the page."""
    st.title("Model")
    champion = browsing.champion(now.layout)
    if champion.version is None:
        now.show_no_model()
    versions = browsing.list_versions(now.layout)
    names = [row["version"] for row in versions]
    if not names:
        return
    chosen = st.selectbox(
        "Version",
        names,
        index=names.index(champion.version) if champion.version in names else 0,
        format_func=lambda name: f"{name} (in use)" if name == champion.version else name,
        width=420,
    )
    if chosen == champion.version:
        st.caption(plain(f"In use since {champion.since}. {champion.reason}"))
    evaluation = browsing.read_evaluation(now.layout, chosen)
    _show_card(browsing.read_card(now.layout, chosen))
    _show_evaluation(evaluation)
    st.subheader("All versions")
    st.dataframe(
        versions,
        hide_index=True,
        column_config={
            "created_at": st.column_config.DatetimeColumn("made", format="D MMM YYYY, HH:mm"),
            **_shares("accuracy", "macro_recall"),
        },
        alt="All model versions with their figures",
    )


def _shares(*columns: str) -> dict[str, Any]:
    return {name: st.column_config.NumberColumn(name.replace("_", " "), format="percent") for name in columns}


def _show_card(card: dict[str, Any]) -> None:
    counts = card.get("counts", {})
    guard = card.get("guard", {})
    threshold = guard.get("threshold")
    facts = {
        "Backbone": card.get("backbone"),
        "Pretrained weights": card.get("weights_source"),
        "Classes": len(card.get("classes", [])),
        "Photos": ", ".join(f"{counts[name]} {name}" for name in ("train", "val", "test") if name in counts),
        "Made": card.get("created_at"),
        "Temperature": f"{card['temperature']:.3f}" if "temperature" in card else None,
        "Guard threshold": "off: too few photos" if threshold is None else f"{threshold:.3f}",
        "Classes with a higher one": ", ".join(guard.get("class_thresholds", {})) or "none",
        "Names are sure from": f"{guard['sure_from']:.3f}" if guard.get("sure_from") is not None else None,
        "Data version": card.get("data_version"),
    }
    left, right = st.columns([3, 2])
    left.dataframe(
        [{"": name, "value": str(value)} for name, value in facts.items() if value is not None],
        hide_index=True,
        alt="The model's card",
    )
    with right.expander(f"Its {counted(len(card.get('classes', [])), 'class', 'classes')}"):
        st.dataframe({"class": card.get("classes", [])}, hide_index=True, alt="The classes of the model")


def _show_evaluation(evaluation: browsing.EvaluationFiles) -> None:
    metrics, tables = evaluation.metrics, evaluation.tables
    st.subheader("Evaluation")
    if not metrics:
        st.info("This model was not evaluated yet.")
        return
    photos = metrics.get("photos") or 0
    if not photos:
        st.info("There are no test photos: a class needs more photos before some are held out.")
        return
    with st.container(horizontal=True):
        for name, word in FIGURES.items():
            value = (
                f"{metrics[name]:.3f}" if name == "ece" and metrics[name] is not None else percent(metrics.get(name))
            )
            st.metric(word, value, border=True, width=190)
    low, high = metrics.get("accuracy_low"), metrics.get("accuracy_high")
    st.caption(f"On {counted(photos, 'test photo')}; 95 % interval of the accuracy: {percent(low)} to {percent(high)}.")
    if evaluation.page is not None:
        st.download_button(
            "Evaluation page (HTML)",
            evaluation.page.read_bytes,
            f"evaluation_{evaluation.folder.name}.html",
            "text/html",
            on_click="ignore",
            icon=":material/download:",
        )
    if "confusion_matrix" in tables:
        st.markdown("**Confusion matrix**: true class a row, predicted class a column; orange is wrong")
        charts.show_confusion(tables["confusion_matrix"])
    left, right = st.columns(2)
    with left:
        if "reliability" in tables:
            st.markdown(
                "**Calibration**: how often it was right against how sure it was; on the dashed line is perfect"
            )
            charts.show_reliability(tables["reliability"])
    with right:
        if "coverage" in tables:
            st.markdown("**UNKNOWN**: the fewer photos it answers, the surest first, the more are right")
            charts.show_coverage(tables["coverage"])
    if metrics.get("unknown_curves"):
        _show_unknown_curves(metrics["unknown_curves"])
    if "classification_report" in tables:
        st.markdown("**By class**")
        st.dataframe(
            tables["classification_report"],
            hide_index=True,
            column_config=_shares("precision", "recall", "f1"),
            alt="Precision, recall and F1 of each class",
        )
    if len(tables.get("confused_pairs", ())):
        st.markdown("**Most confused**")
        st.dataframe(
            tables["confused_pairs"],
            hide_index=True,
            column_config=_shares("share"),
            alt="Pairs of classes that were confused",
        )


def _show_unknown_curves(curves: dict[str, Any]) -> None:
    st.markdown("**Photos of no known class**: how well they are told from known ones, and how many are caught")
    rows = [
        {"photos of": name, "AUROC": curve["auroc"], "photos": curve["photos"], **row}
        for name, curve in curves.items()
        for row in curve["caught"]
    ]
    st.dataframe(rows, hide_index=True, alt="How many photos of no known class are caught")
