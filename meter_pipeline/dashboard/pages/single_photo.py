"""The page One photo: a file, the camera or a URL; the model's answer, what it rests on, and where the model looked."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import streamlit as st

from meter_pipeline.dashboard import charts
from meter_pipeline.dashboard.browsing import photo as asking
from meter_pipeline.dashboard.context import Now
from meter_pipeline.dashboard.pictures import card, show_thumbnail
from meter_pipeline.dashboard.text import (
    CALIBRATED_CONFIDENCE,
    DECIDED_BY,
    GUARD,
    MEASURES,
    RAW_CONFIDENCE,
    percent,
    plain,
)
from meter_pipeline.errors import MeterError
from meter_pipeline.ingest.url_images import fetch_photo
from meter_pipeline.photos.decoding import PhotoError
from meter_pipeline.photos.store import image_id_of
from meter_pipeline.photos.thumbnails import PREVIEW_SIDE, small_jpeg
from meter_pipeline.recognition.model_card import champion_version
from meter_pipeline.settings import DecisionSettings

if TYPE_CHECKING:
    from meter_pipeline.recognition.decision import Decision
    from meter_pipeline.recognition.model_store import MeterModel

FILE, CAMERA, URL = "File", "Camera", "URL"
MEGABYTE = 1_000_000

CLOSER = "White frames: the parts that the model also looked at enlarged."
NOT_CLOSER = "The model looked at no part enlarged."


def show(now: Now) -> None:
    """Draw the page."""
    st.title("One photo")
    version = champion_version(now.layout)
    if version is None:
        now.show_no_model()
        return
    given = _ask_for_photo(now)
    if given is None:
        return
    content, name = given
    largest = now.settings.download_max_bytes
    if len(content) > largest:
        st.error(f"The photo has {len(content) / MEGABYTE:.1f} MB; at most {largest / MEGABYTE:.0f} MB are accepted.")
        return
    try:
        small_jpeg(content, side=PREVIEW_SIDE)
    except PhotoError as error:
        st.error(plain(f"{name}: {error.reason}"))
        return
    key = (image_id_of(content), version, now.settings.digest(*DecisionSettings.model_fields))
    with st.spinner("The model looks at the photo. The first photo takes longer, as the model is loaded."):
        answer = _answer(now, content, name, key)
    _show_answer(now, content, answer, key)


def _ask_for_photo(now: Now) -> tuple[bytes, str] | None:
    source = st.segmented_control(
        "Where the photo is", [FILE, CAMERA, URL], default=FILE, required=True, label_visibility="collapsed"
    )
    if source == URL:
        with st.form("url", border=False):
            url = st.text_input("URL of a photo", placeholder="https://")
            asked = st.form_submit_button("Fetch and name")
        if asked and url.strip():
            with st.spinner("Fetching the photo"):
                st.session_state["fetched"] = None
                try:
                    st.session_state["fetched"] = (fetch_photo(url, now.settings), url)
                except MeterError as error:
                    st.error(plain(str(error)))
        fetched: tuple[bytes, str] | None = st.session_state.get("fetched")
        return fetched
    if source == CAMERA:
        taken = st.camera_input("Take a photo")
    else:
        taken = st.file_uploader(
            "A photo of a meter",
            type=["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "avif", "heic", "heif", "mpo"],
            max_upload_size=max(1, now.settings.download_max_bytes // MEGABYTE),
        )
    return None if taken is None else (taken.getvalue(), taken.name)


def _show_answer(now: Now, content: bytes, answer: asking.Answer, key: tuple[str, str, str]) -> None:
    prediction = answer.prediction
    left, right = st.columns([2, 3], gap="large")
    with right:
        st.header(plain(prediction.final_prediction))
        st.markdown(plain(prediction.reason))
        if prediction.decision:
            _show_confidence(prediction.decision, prediction.model_version)
            charts.show_scores([(guess.class_name, guess.confidence) for guess in prediction.decision.top3])
        for flag in answer.flags:
            st.markdown(f":material/warning: {plain(flag)}")
    with left:
        _show_photo(now, content, answer, key)
    if answer.nearest:
        _show_nearest(now, answer)


def _show_confidence(decision: Decision, model_version: str) -> None:
    calibrated = percent(decision.calibrated_confidence)
    with st.container(horizontal=True):
        st.metric("Raw confidence", percent(decision.best.confidence), border=True, width=165, help=RAW_CONFIDENCE)
        st.metric("Calibrated confidence", calibrated, border=True, width=205, help=CALIBRATED_CONFIDENCE)
        st.metric("Likeness", f"{decision.guard_score:.2f}", border=True, width=140, help=GUARD)
    st.caption(f"{DECIDED_BY[decision.rule]} Model {plain(model_version)}.")


def _show_photo(now: Now, content: bytes, answer: asking.Answer, key: tuple[str, str, str]) -> None:
    prediction = answer.prediction
    decision = prediction.decision
    if decision and st.toggle("Where the model looked", value=True):
        name = st.selectbox("For", [guess.class_name for guess in decision.top3], label_visibility="collapsed")
        try:
            with st.spinner("Finding where the model looked"):
                picture = _looked(now, content, name, prediction.views > 1, key)
        except MeterError as error:
            st.info(plain(str(error)))
            picture = None
        if picture:
            st.image(picture, alt=f"The photo; orange where it supports {name}", width="stretch")
            st.caption(
                f"Orange: what supports {plain(name)} against the other classes (Grad\\-CAM on the whole photo). "
                + (CLOSER if prediction.views > 1 else NOT_CLOSER)
            )
            return
        st.caption(f"No part of the photo supports {plain(name)} more than the other classes.")
    st.image(small_jpeg(content, side=PREVIEW_SIDE), alt=f"The photo: {prediction.final_prediction}", width="stretch")
    quality = asdict(prediction.quality) if prediction.quality else {}
    st.caption(" · ".join(f"{MEASURES[name].split(' (')[0]} {value:.2f}" for name, value in quality.items()))


def _show_nearest(now: Now, answer: asking.Answer) -> None:
    st.subheader("The nearest known photos")
    with st.container(horizontal=True):
        for photo in answer.nearest:
            with card():
                show_thumbnail(now.layout, photo.image_id, photo.path, f"Known photo of {photo.label}")
                st.markdown(f"**{plain(photo.label)}**")
                st.caption(f"cosine similarity {photo.similarity:.2f}")


@st.cache_resource(max_entries=1, show_spinner=False)
def _model(_now: Now, version: str) -> MeterModel:  # noqa: ARG001
    from meter_pipeline.recognition.model_store import load_model

    return load_model(_now.layout)


@st.cache_data(max_entries=32, show_spinner=False)
def _answer(_now: Now, _content: bytes, _name: str, key: tuple[str, str, str]) -> asking.Answer:
    return asking.ask(_now.layout, _model(_now, key[1]), _content, _name, _now.settings)


@st.cache_data(max_entries=32, show_spinner=False)
def _looked(_now: Now, _content: bytes, class_name: str, closer: bool, key: tuple[str, str, str]) -> bytes | None:
    from meter_pipeline.recognition.attribution import closer_views, grad_cam, overlay

    model = _model(_now, key[1])
    heat = grad_cam(model, _content, class_name)
    squares = closer_views(model, _content) if closer else ()
    return overlay(_content, heat, squares) if heat.any() else None
