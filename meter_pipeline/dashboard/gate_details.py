"""What the gate said of a model, in the order in which it weighs; which models were in use; a person's word on both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from meter_pipeline.dashboard.context import Now
from meter_pipeline.dashboard.correcting import ask_name, keep_name
from meter_pipeline.dashboard.processes import commands
from meter_pipeline.dashboard.processes.commands import Answer
from meter_pipeline.dashboard.text import moment, plain
from meter_pipeline.errors import MeterError
from meter_pipeline.evaluation.gate_report import GateReport
from meter_pipeline.labels import Outcome
from meter_pipeline.recognition.model_history import HistoryEntry

_SAID = {
    Outcome.ACCEPTED: ("The gate accepted this version.", ":material/check_circle:"),
    Outcome.HELD: ("The gate holds this version: a person decides.", ":material/pan_tool:"),
    Outcome.REFUSED: ("The gate refused this version.", ":material/block:"),
}
_ANSWER = "answer_of_a_model_command"
EVENTS = {"accepted": "came into use", "returned": "in use again", "rolled_back": "rolled back"}


def show_not_in_use(report: GateReport) -> None:
    """Say that the model that was trained last is not the one in use, and where its verdict is."""
    said = {Outcome.HELD: "held by the gate: a person decides", Outcome.REFUSED: "refused by the gate"}[report.outcome]
    st.info(plain(f"{report.version} was trained last and is {said}. Choose it under Version to see why."))


def show_gate(now: Now, report: GateReport, *, is_in_use: bool) -> None:
    """Draw the verdict, its reasons, the tables behind them, and how to use the model all the same.

    Args:
        now: the data directory.
        report: what the gate said.
        is_in_use: whether a person took the model into use already.
    """
    st.subheader("Gate")
    words, icon = _SAID[report.outcome]
    box = {Outcome.ACCEPTED: st.success, Outcome.HELD: st.warning, Outcome.REFUSED: st.error}[report.outcome]
    against = f"Compared with {report.champion}, {moment(report.created_at)}." if report.champion else ""
    box(plain(f"{words} {against}"), icon=icon)
    st.markdown("\n".join(f"- {plain(sentence)}" for sentence in report.sentences))
    if report.outcome != Outcome.ACCEPTED and not is_in_use:
        with st.expander(plain(f"Use {report.version} all the same")):
            _choose(
                f"accept_{report.version}",
                f"Accept {report.version}",
                lambda why, by: commands.accept_model(now.layout, report.version, why=why, by=by),
            )
            st.caption("The same on the command line:")
            st.code(f'meter model accept {report.version} --why "..."', language=None)
    with st.expander("What was compared"):
        _table("Classes that both versions know, on the same test photos", report.by_class)
        _table("New classes", report.new_classes)
        _table("Test photos of old classes that get a new class's name", report.new_names)
        changes = [{name: row[name] for name in ("before", "after", "kind", "photos")} for row in report.changes]
        _table("Names that change in the last drops", changes)
        _table("Photos that a person rejected and that are named so again", report.rejected)


def show_history(now: Now, history: Sequence[HistoryEntry], *, before: str | None) -> None:
    """Draw which versions came into use and were rolled back, the newest first, and the way back.

    Args:
        now: the data directory.
        history: the events.
        before: the version to go back to; None if there is none.
    """
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
    if before is None:
        return
    with st.expander(plain(f"Go back to {before}")):
        _choose(
            f"roll_back_{before}",
            f"Roll back to {before}",
            lambda why, by: commands.roll_back(now.layout, before, why=why, by=by),
        )
        st.caption("The same on the command line:")
        st.code('meter model rollback --why "..."', language=None)


def show_answer() -> None:
    """Say what became of a person's word on the model in use, once; also where the person scrolled to."""
    answer: Answer | None = st.session_state.pop(_ANSWER, None)
    if answer is None:
        return
    lines = [plain(line) for line in answer.text.splitlines() if line.strip()] or ["Done."]
    box = st.success if answer.ok else st.error
    box("\n\n".join(lines))
    st.toast(lines[0])


def _choose(key: str, label: str, choose: Callable[[str, str], Answer]) -> None:
    """Ask for a reason and a name, run a command that takes both, and draw the page again with its answer."""
    with st.form(key, border=False):
        why = st.text_input("Reason", key=f"{key}_why", max_chars=300, placeholder="for the history; required")
        by = ask_name(f"{key}_by")
        asked = st.form_submit_button(plain(label))
    if not asked:
        return
    keep_name(by)
    try:
        with st.spinner("Asked. This takes some seconds, and waits while a run writes the same tables."):
            st.session_state[_ANSWER] = choose(why, by)
    except MeterError as error:
        st.error(plain(str(error)))
        return
    st.rerun()


def _table(title: str, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        st.markdown(f"**{title}**")
        st.dataframe([{name.replace("_", " "): value for name, value in row.items()} for row in rows], hide_index=True)
