"""The small form "This is ...": a person says of one photo what it is, is told what that means, and it is written."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st

from meter_pipeline.dashboard.browsing import corrections
from meter_pipeline.dashboard.browsing.corrections import JUNK, Proposal
from meter_pipeline.dashboard.context import Now
from meter_pipeline.dashboard.text import moment, plain
from meter_pipeline.errors import MeterError
from meter_pipeline.labels import Action
from meter_pipeline.review.deciding import decide
from meter_pipeline.review.reviewed_images import current_state

YOUR_NAME = "your_name"
"""Where the session keeps who is at the screen."""
JUNK_CHOICE = "junk: no meter, or of no use"
NEXT = "`meter update` takes it over; `meter dev` does so by itself."


def ask_name(key: str) -> str:
    """Ask who is at the screen, and return it; it is kept for the session and may be empty."""
    given = st.text_input(
        "Your name",
        value=st.session_state.get(YOUR_NAME, ""),
        key=key,
        max_chars=80,
        placeholder="so that others know whom to ask; may be empty",
    )
    return (given or "").strip()


def keep_name(name: str) -> None:
    """Keep who is at the screen for the session."""
    st.session_state[YOUR_NAME] = name


def show_correction(now: Now, image_id: str, *, source: str) -> None:
    """Draw the form for one photo, in a dialog: what is asked there draws the dialog alone again.

    Args:
        now: the data directory.
        image_id: the photo.
        source: where it is said, for the decision: batches, classes.
    """
    state, key = current_state(now.layout), f"correct_{source}_{image_id}"
    before = corrections.said_before(state, image_id)
    if before is not None:
        st.caption(plain(f"This photo was {before.sentence}, {moment(before.at)}."))
    with st.form(key, border=True):
        said = st.selectbox(
            "This is ...",
            [JUNK, *corrections.class_choices(now.layout, state)],
            index=None,
            format_func=lambda choice: JUNK_CHOICE if choice == JUNK else choice,
            key=f"{key}_class",
            placeholder="A class, or type a new one",
            accept_new_options=True,
        )
        by = ask_name(f"{key}_by")
        if st.form_submit_button("Save"):
            keep_name(by)
            st.session_state[f"{key}_asked"] = _propose(now, image_id, said, by)
    asked: Proposal | str | None = st.session_state.get(f"{key}_asked")
    if isinstance(asked, Proposal) and (asked.already or not asked.needs_a_yes):
        _save(now, asked, source, key)
    if isinstance(asked, Proposal):
        _ask(now, asked, source, key)
    elif asked is not None:
        st.error(plain(asked))
    saved: Proposal | None = st.session_state.pop(f"{key}_saved", None)
    if saved is not None:
        _show_saved(now, saved)


def _propose(now: Now, image_id: str, said: str | None, by: str) -> Proposal | str:
    """Return what the word would mean, or the sentence that says why it cannot be said."""
    try:
        return corrections.propose(now.layout, image_id, said, by=by)
    except MeterError as error:
        return str(error)


def _ask(now: Now, proposal: Proposal, source: str, key: str) -> None:
    """Say what is doubtful about a word, and ask whether it is meant."""
    if proposal.contested is not None:
        st.warning(plain(f"This photo was {proposal.contested}. Your word replaces that."))
    if proposal.nearly_equal:
        st.warning(plain(f"{proposal.label} is a new class. Nearly the same: {', '.join(proposal.nearly_equal)}."))
    with st.container(horizontal=True):
        sure = "Replace it" if proposal.contested is not None else f"Make the class {proposal.label}"
        yes = st.button(plain(sure), key=f"{key}_yes", type="primary")
        no = st.button("Cancel", key=f"{key}_no")
    if yes:
        latest = _propose(now, proposal.image_id, proposal.words, proposal.by)
        if isinstance(latest, Proposal) and latest.contested == proposal.contested:
            _save(now, latest, source, key)
        st.session_state[f"{key}_asked"] = latest  # somebody else decided meanwhile
        st.rerun(scope="fragment")
    elif no:
        del st.session_state[f"{key}_asked"]
        st.rerun(scope="fragment")


def _save(now: Now, proposal: Proposal, source: str, key: str) -> NoReturn:
    """Write a word, and draw the form again with what is said of the photo now."""
    try:
        if not proposal.already:
            decide(
                now.layout,
                proposal.action,
                [proposal.image_id],
                by=proposal.by,
                target=proposal.label,
                source=source,
            )
    except MeterError as error:
        st.session_state[f"{key}_asked"] = str(error)
    else:
        del st.session_state[f"{key}_asked"]
        st.session_state[f"{key}_saved"] = proposal
    st.rerun(scope="fragment")


def _show_saved(now: Now, proposal: Proposal) -> None:
    """Say what was written, once, and what is left for the person to do."""
    if proposal.already:
        st.info(plain(f"That was said of this photo before: {proposal.words}. Nothing changes."))
    else:
        said = "called junk" if proposal.action == Action.JUNK else f"named {proposal.label}"
        st.success(f"{plain(f'This photo is {said} now.')} {NEXT}")
    if proposal.contrary_files:
        st.warning(plain(_what_to_do(now, proposal)))


def _what_to_do(now: Now, proposal: Proposal) -> str:
    """Return what a person has to do with files of data/raw that say something else."""
    files = ", ".join(str(now.layout.raw / path) for path in proposal.contrary_files)
    if proposal.action == Action.JUNK:
        return f"A person put this photo into the labelled photos, and such files are left as they are: delete {files}."
    folder = now.layout.raw / str(proposal.label)
    if len(proposal.contrary_files) == 1:
        return (
            "A person put this photo into the labelled photos under another class, and such files are left as they "
            f"are: move {files} into {folder}. Until then the folder it lies in counts, not your word."
        )
    return (
        "A person put this photo into the labelled photos under other classes, and such files are left as they are: "
        f"move one of {files} into {folder} and delete the others. Until then these folders count, not your word."
    )
