"""One row of a drop, opened over the page: its photo, all scores, its sheet's cells, its cluster."""

from __future__ import annotations

import streamlit as st

from meter_pipeline.dashboard import charts
from meter_pipeline.dashboard.browsing.classes import labelled_files
from meter_pipeline.dashboard.browsing.rows import OpenedRow, open_row
from meter_pipeline.dashboard.context import Now
from meter_pipeline.dashboard.correcting import show_correction
from meter_pipeline.dashboard.pictures import show_preview, show_thumbnail
from meter_pipeline.dashboard.saying import saying_problems
from meter_pipeline.dashboard.text import DECIDED_BY, MEASURES, percent, plain
from meter_pipeline.labels import NOISE
from meter_pipeline.storage.queries import Row

SCORES_SHOWN = 12
SOURCE = "batches"
"""Where a word on a row's photo is said, in the decision."""


def open_dialog(now: Now, drop: str, position: int) -> None:
    """Open a row over the page; Escape closes it."""
    row = open_row(now.layout, drop, position)
    if row is None:
        st.warning("This row does not exist any more: the drop was replaced meanwhile.")
        return
    title = f"{drop}, row {row.prediction['row_number']}"
    st.dialog(plain(title), width="large")(saying_problems(_details))(now, row)


def _details(now: Now, row: OpenedRow) -> None:
    """Draw the row; what a person says of its photo has its place below the photo."""
    prediction = row.prediction
    left, right = st.columns(2)
    with left:
        image_id = prediction["image_id"]
        path = now.layout.image(image_id) if image_id else None
        show_preview(now.layout, image_id, path, f"Photo of this row: {prediction['final_prediction']}")
        st.text(prediction["image_url"] or "no URL")
        _show_quality(row)
        if image_id:
            show_correction(now, image_id, source=SOURCE)
    with right:
        st.subheader(plain(prediction["final_prediction"]))
        st.markdown(plain(prediction["reason"] or ""))
        _show_numbers(row)
        if row.scores:
            charts.show_scores(row.scores[:SCORES_SHOWN])
        _show_nearest(now, prediction)
        if row.sheet_cells:
            st.markdown("**In the sheet**")
            cells = [{"column": name, "cell": cell} for name, cell in row.sheet_cells.items()]
            st.dataframe(cells, hide_index=True, alt="The sheet's other cells of this row")


def _show_numbers(row: OpenedRow) -> None:
    prediction = row.prediction
    facts = [DECIDED_BY[prediction["rule"]]]
    if prediction["top1_confidence"] is not None:
        facts.append(f"Raw confidence {percent(prediction['top1_confidence'])}.")
    if prediction["calibrated_confidence"] is not None:
        facts.append(f"Calibrated confidence {percent(prediction['calibrated_confidence'])}.")
    if prediction["guard_score"] is not None:
        facts.append(
            f"Likeness to the known photos (guard score) {prediction['guard_score']:.2f}; 0 is a typical known photo."
        )
    if row.cluster_id is not None:
        facts.append("In no cluster (noise)." if row.cluster_id == NOISE else f"In cluster {row.cluster_id}.")
    facts.append(f"Sheet {prediction['sheet']}." if prediction["sheet"] else "")
    facts.append(f"Model {prediction['model_version']}." if prediction["model_version"] else "")
    st.caption(plain(" ".join(facts)))


def _show_quality(row: OpenedRow) -> None:
    photo = row.photo
    if photo is None:
        return
    size = [f"{photo['width']} x {photo['height']} pixels, {photo['format']}"] if photo["width"] else []
    measures = [f"{name.split(' (')[0]} {photo[key]:.2f}" for key, name in MEASURES.items() if photo[key] is not None]
    notes = [photo["notes"]] if photo["notes"] else []
    st.caption(plain(" · ".join([*size, *measures, *notes])))


def _show_nearest(now: Now, prediction: Row) -> None:
    image_id = prediction["nearest_known"]
    if image_id is None:
        return
    label, path = labelled_files(now.layout, [image_id]).get(image_id, (None, None))
    name = label or prediction["nearest_known_class"]
    st.markdown(f"**Nearest known photo**: {plain(name) if name else 'not among the labelled photos any more'}")
    if path is not None:
        show_thumbnail(now.layout, image_id, path, f"Nearest known photo: {name}", centred=False)
