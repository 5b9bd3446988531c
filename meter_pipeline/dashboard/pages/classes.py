"""The page Classes: each class with its counts and an example; the labelled and the predicted photos of one class."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from meter_pipeline.dashboard.browsing import classes as browsing
from meter_pipeline.dashboard.browsing.classes import ClassCounts, LabelledPhoto, Suspicion
from meter_pipeline.dashboard.context import Fingerprint, Now
from meter_pipeline.dashboard.correcting import show_correction
from meter_pipeline.dashboard.paging import choose_page
from meter_pipeline.dashboard.pictures import card, show_preview, show_thumbnail
from meter_pipeline.dashboard.saying import saying_problems
from meter_pipeline.dashboard.text import percent, plain
from meter_pipeline.labels import Split, counted

PAGE_SIZE = 40
ALL = "All classes"
LABELLED, PREDICTED = "Labelled", "Predicted"
EVERY_SPLIT = "all"
SOURCE = "classes"
"""Where a word on a photo is said, in the decision."""
OPENED = "opened_photo"
COUNTS = {
    "labelled": "Files in the class's folder that are used.",
    "train": "Photos that the model learns from.",
    "val": "Photos that choose the best epoch of the training.",
    "test": "Photos that the model is evaluated on, and never trained on.",
    "refused": "Files in the class's folder that are not used: damaged, or not photos.",
    "predicted": "Rows of drops that were given this class.",
}
"""What is counted of a class, and what it means."""


def show(now: Now) -> None:
    """Draw the page."""
    st.title("Classes")
    now.show_age("image_inventory", "dataset_split", "batch_predictions", "known_embeddings")
    classes = _classes(now, now.fingerprint(*browsing.TABLES))
    if not classes:
        st.info(
            f"No labelled photos yet. Put them into `{now.layout.raw}/<CLASS>/`, two classes at least, "
            "and run `meter train`.",
            icon=":material/folder_open:",
        )
        return
    chosen = st.selectbox("Class", [ALL, *(row.label for row in classes)], key="class", bind="query-params", width=420)
    if chosen == ALL:
        _show_all(now, classes)
    else:
        _show_one(now, next(row for row in classes if row.label == chosen))


def _show_all(now: Now, classes: list[ClassCounts]) -> None:
    with st.container(horizontal=True):
        for row in classes:
            with card():
                path = now.layout.raw / row.example_path if row.example_path else None
                show_thumbnail(now.layout, row.example_id, path, f"Labelled photo of {row.label}")
                st.markdown(f"**{plain(row.label)}**")
                st.caption(f"{row.labelled:,} labelled, {row.predicted:,} predicted")
                st.button("Browse", key=f"browse_{row.label}", on_click=_choose, args=(row.label,), width="stretch")
    with st.expander("Counts of all classes", expanded=False):
        st.dataframe(
            [{"class": row.label} | {name: getattr(row, name) for name in COUNTS} for row in classes],
            hide_index=True,
            column_config={name: st.column_config.NumberColumn(help=meaning) for name, meaning in COUNTS.items()},
            alt="Counts of all classes",
        )


def _choose(label: str) -> None:
    st.session_state["class"] = label


def _show_one(now: Now, row: ClassCounts) -> None:
    with st.container(horizontal=True):
        for name, meaning in COUNTS.items():
            st.metric(name.capitalize(), f"{getattr(row, name):,}", border=True, width=140, help=meaning)
    kind = st.segmented_control(
        "Which photos", [LABELLED, PREDICTED], default=LABELLED, required=True, key="class_kind"
    )
    if kind == LABELLED:
        _show_labelled(now, row.label)
    else:
        _show_predicted(now, row.label)
    opened = st.session_state.pop(OPENED, None)
    if opened:
        _open_dialog(now, *opened)


def _show_labelled(now: Now, label: str) -> None:
    choices = [EVERY_SPLIT, *(part.value for part in Split)]
    split = st.segmented_control("Split", choices, default=EVERY_SPLIT, required=True, key="class_split")
    with st.spinner("Comparing every labelled photo with its neighbours"):
        suspicious = _suspicious(now, now.fingerprint("known_embeddings"))
    found = browsing.labelled_photos(now.layout, label, None if split == EVERY_SPLIT else split)
    photos = browsing.suspicious_first(found, suspicious)
    doubted = sum(photo.image_id in suspicious for photo in photos)
    if doubted:
        st.warning(
            f"{counted(doubted, 'label')} to check first: the {browsing.NEIGHBOURS} most similar labelled photos all "
            "have another label."
        )
    if not photos:
        st.info("No labelled photo here.")
        return
    page = choose_page(len(photos), PAGE_SIZE, f"labelled_{label}_{split}")
    with st.container(horizontal=True):
        for photo in photos[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]:
            _labelled_card(now, label, photo, suspicious.get(photo.image_id))


def _labelled_card(now: Now, label: str, photo: LabelledPhoto, suspicion: Suspicion | None) -> None:
    with card():
        name = photo.path.rsplit("/", 1)[-1]
        show_thumbnail(now.layout, photo.image_id, now.layout.raw / photo.path, f"{name}, labelled {label}")
        st.caption(plain(f"{name} · {photo.split}"))
        if suspicion:
            st.markdown(f":material/warning: looks like **{plain(suspicion.looks_like)}**")
        _correct_button(photo.image_id, now.layout.raw / photo.path, f"{name}, labelled {label}")


def _show_predicted(now: Now, label: str) -> None:
    count = browsing.count_predicted_photos(now.layout, label)
    if not count:
        st.info("No photo of a drop was given this class.")
        return
    st.caption(f"{counted(count, 'photo')} of the drops, the lowest confidence first")
    page = choose_page(count, PAGE_SIZE, f"predicted_{label}")
    with st.container(horizontal=True):
        for photo in browsing.predicted_photos(now.layout, label, page=page, size=PAGE_SIZE):
            with card():
                path = now.layout.image(photo.image_id)
                show_thumbnail(now.layout, photo.image_id, path, f"Photo of {photo.drop} named {label}")
                st.caption(plain(f"{percent(photo.top1_confidence, 0)} · {photo.drop}"))
                _correct_button(photo.image_id, path, f"Photo of {photo.drop} named {label}")


def _correct_button(image_id: str, path: Path, title: str) -> None:
    # By its file: the same photo may lie in a class twice.
    st.button("Correct", key=f"correct_{path}", on_click=_open, args=(image_id, path, title), width="stretch")


def _open(image_id: str, path: Path, title: str) -> None:
    st.session_state[OPENED] = (image_id, path, title)


def _open_dialog(now: Now, image_id: str, path: Path, title: str) -> None:
    """Open a photo over the page, to say what it is; Escape closes it."""

    def details() -> None:
        show_preview(now.layout, image_id, path, title)
        show_correction(now, image_id, source=SOURCE)

    st.dialog(plain(title))(saying_problems(details))()


@st.cache_data(max_entries=4, show_spinner=False)
def _classes(_now: Now, key: Fingerprint) -> list[ClassCounts]:  # noqa: ARG001
    return browsing.count_classes(_now.layout)


@st.cache_data(max_entries=2, show_spinner=False)
def _suspicious(_now: Now, key: Fingerprint) -> dict[str, Suspicion]:  # noqa: ARG001
    return browsing.suspicious_labels(_now.layout)
