"""What the gate said of a model, drawn in the order in which it weighs; and which models were in use before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from meter_pipeline.dashboard.text import moment, plain
from meter_pipeline.evaluation.gate_report import GateReport
from meter_pipeline.labels import Outcome
from meter_pipeline.recognition.model_history import HistoryEntry

_SAID = {
    Outcome.ACCEPTED: ("The gate accepted this version.", ":material/check_circle:"),
    Outcome.HELD: ("The gate holds this version: a person decides.", ":material/pan_tool:"),
    Outcome.REFUSED: ("The gate refused this version.", ":material/block:"),
}
EVENTS = {"accepted": "came into use", "returned": "in use again", "rolled_back": "rolled back"}


def show_not_in_use(report: GateReport) -> None:
    """Say that the model that was trained last is not the one in use, and where its verdict is."""
    said = {Outcome.HELD: "held by the gate: a person decides", Outcome.REFUSED: "refused by the gate"}[report.outcome]
    st.info(plain(f"{report.version} was trained last and is {said}. Choose it under Version to see why."))


def show_gate(report: GateReport) -> None:
    """Draw the verdict, its reasons, and the tables behind them."""
    st.subheader("Gate")
    words, icon = _SAID[report.outcome]
    box = {Outcome.ACCEPTED: st.success, Outcome.HELD: st.warning, Outcome.REFUSED: st.error}[report.outcome]
    against = f"Compared with {report.champion}, {moment(report.created_at)}." if report.champion else ""
    box(plain(f"{words} {against}"), icon=icon)
    st.markdown("\n".join(f"- {plain(sentence)}" for sentence in report.sentences))
    if report.outcome != Outcome.ACCEPTED:
        st.caption(plain("To use it all the same:"))
        st.code(f'meter model accept {report.version} --why "..."', language=None)
    with st.expander("What was compared"):
        _table("Classes that both versions know, on the same test photos", report.by_class)
        _table("New classes", report.new_classes)
        _table("Test photos of old classes that get a new class's name", report.new_names)
        changes = [{name: row[name] for name in ("before", "after", "kind", "photos")} for row in report.changes]
        _table("Names that change in the last drops", changes)
        _table("Photos that a person rejected and that are named so again", report.rejected)


def show_history(history: Sequence[HistoryEntry]) -> None:
    """Draw which versions came into use and were rolled back, the newest first."""
    if not history:
        return
    st.subheader("History")
    st.dataframe(
        [
            {
                "when": moment(entry.at),
                "version": entry.version,
                "event": EVENTS[entry.event],
                "by": entry.by,
                "reason": entry.reason,
            }
            for entry in history
        ],
        hide_index=True,
        alt="Which versions came into use and were rolled back",
    )
    st.caption("To go back to the version before:")
    st.code('meter model rollback --why "..."', language=None)


def _table(title: str, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        st.markdown(f"**{title}**")
        st.dataframe([{name.replace("_", " "): value for name, value in row.items()} for row in rows], hide_index=True)
