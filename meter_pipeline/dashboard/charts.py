"""Charts of the pages, by Altair; every chart has words beside it for those who cannot see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from meter_pipeline.labels import NOISE

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from meter_pipeline.dashboard.browsing.clusters import MapPoint

BAR_HEIGHT = 26
"""Pixels of one class."""
HIGHEST_LOW_END = 0.9
"""Where the axis of an accuracy begins at the latest; a lower accuracy begins it lower, by tenths."""
FEW_CLASSES = 12
"""Up to this many classes, the cells of a confusion matrix are large."""

CLUSTER_COLOURS = (
    "#4c78a8",
    "#f58518",
    "#54a24b",
    "#b79a20",
    "#439894",
    "#e45756",
    "#d67195",
    "#b279a2",
    "#9e765f",
    "#9ecae9",
    "#ffbf79",
    "#88d27a",
    "#f2cf5b",
    "#83bcb6",
    "#ff9d98",
    "#fcbfd2",
    "#d6a5c9",
    "#d8b5a5",
)
"""Vega's tableau20 without its two greys, strong ones first."""
NOISE_COLOUR = "#9aa0a6"


def show_scores(scores: list[tuple[str, float]]) -> None:
    """Show classes and their shares (0 to 1) as bars, in the order given."""
    import altair as alt

    data = alt.Data(values=[{"class": name, "confidence": share} for name, share in scores])
    base = alt.Chart(data).encode(
        y=alt.Y("class:N", sort=None, title=None, axis=alt.Axis(labelLimit=220, labelOverlap=False)),
        x=alt.X("confidence:Q", title=None, scale=alt.Scale(domain=[0, 1.15]), axis=None),
        tooltip=[alt.Tooltip("class:N"), alt.Tooltip("confidence:Q", format=".2%")],
    )
    numbers = base.mark_text(align="left", dx=4, color=_ink()).encode(text=alt.Text("confidence:Q", format=".1%"))
    _show((base.mark_bar() + numbers).properties(height=alt.Step(BAR_HEIGHT)))


def show_confusion(confusion: pd.DataFrame) -> None:
    """Show a confusion matrix: column `true_class`, then one column per predicted class."""
    import altair as alt

    cells = confusion.melt("true_class", var_name="predicted_class", value_name="photos")
    cells["right"] = cells["true_class"] == cells["predicted_class"]
    order = confusion["true_class"].tolist()
    step = 52 if len(order) <= FEW_CLASSES else 26
    base = alt.Chart(cells).encode(
        x=alt.X(
            "predicted_class:N",
            sort=order,
            title="predicted class",
            axis=alt.Axis(labelAngle=-45, labelLimit=160, labelOverlap=False),
        ),
        y=alt.Y("true_class:N", sort=order, title="true class", axis=alt.Axis(labelLimit=160, labelOverlap=False)),
        tooltip=["true_class:N", "predicted_class:N", "photos:Q"],
    )
    boxes = base.mark_rect().encode(
        opacity=alt.Opacity("photos:Q", scale=alt.Scale(type="sqrt", range=[0, 1]), legend=None),
        color=alt.Color("right:N", scale=alt.Scale(domain=[True, False], range=["#3b82c4", "#d9622b"]), legend=None),
    )
    numbers = base.transform_filter("datum.photos > 0").mark_text(fontSize=11, color=_ink()).encode(text="photos:Q")
    chart = (boxes + numbers).properties(
        width=alt.Step(step), height=alt.Step(step if len(order) > FEW_CLASSES else 34)
    )
    st.altair_chart(chart, width="content")


def show_reliability(reliability: pd.DataFrame) -> None:
    """Show the accuracy by confidence; bins without photos are left out."""
    import altair as alt

    bins = reliability[reliability["count"] > 0]
    line = alt.Chart(alt.Data(values=[{"x": 0, "y": 0}, {"x": 1, "y": 1}])).mark_line(strokeDash=[4, 4], color="gray")
    points = (
        alt.Chart(bins)
        .mark_line(point={"size": 60})
        .encode(
            x=alt.X("confidence:Q", title="mean confidence", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("accuracy:Q", title="accuracy", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
            tooltip=[alt.Tooltip("confidence:Q", format=".1%"), alt.Tooltip("accuracy:Q", format=".1%"), "count:Q"],
        )
    )
    _show((line.encode(x="x:Q", y="y:Q") + points).properties(height=300))


def show_coverage(coverage: pd.DataFrame) -> None:
    """Show the accuracy of the answered photos by the share that is answered, over all thresholds."""
    import altair as alt

    lowest = min(HIGHEST_LOW_END, float(coverage["accuracy"].min()) // 0.1 / 10)
    chart = (
        alt.Chart(coverage)
        .mark_line()
        .encode(
            x=alt.X(
                "coverage:Q",
                title="coverage (share of the photos answered)",
                axis=alt.Axis(format="%"),
                scale=alt.Scale(domain=[0, 1]),
            ),
            y=alt.Y(
                "accuracy:Q",
                title="accuracy of the answered",
                axis=alt.Axis(format="%"),
                scale=alt.Scale(domain=[lowest, 1]),
            ),
            tooltip=[
                alt.Tooltip("threshold:Q", format=".1%"),
                alt.Tooltip("coverage:Q", format=".1%"),
                alt.Tooltip("accuracy:Q", format=".1%"),
            ],
        )
    )
    _show(chart.properties(height=300))


def show_map(points: list[MapPoint]) -> list[str]:
    """Show the UNKNOWN photos on a plane and return the image_ids that a person marked by clicking or dragging."""
    import altair as alt

    rows = [
        {
            "image_id": point.image_id,
            "cluster": point.cluster,
            "x": point.x,
            "y": point.y,
            "best guess": point.top1_class,
        }
        for point in points
    ]
    marked = alt.selection_point(name="marked", fields=["image_id"], toggle=True)
    clusters = {point.cluster_id: point.cluster for point in sorted(points, key=lambda point: point.cluster_id)}
    names = [name for cluster_id, name in clusters.items() if cluster_id != NOISE]
    colours = [CLUSTER_COLOURS[place % len(CLUSTER_COLOURS)] for place in range(len(names))]
    if NOISE in clusters:
        names, colours = [*names, clusters[NOISE]], [*colours, NOISE_COLOUR]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_circle(size=70)
        .encode(
            x=alt.X("x:Q", axis=None),
            y=alt.Y("y:Q", axis=None),
            color=alt.Color("cluster:N", sort=names, scale=alt.Scale(domain=names, range=colours), title=None),
            opacity=alt.condition(marked, alt.value(1.0), alt.value(0.35)),
            tooltip=["cluster:N", "best guess:N"],
        )
        .add_params(marked)
        .properties(height=420)
    )
    event = st.altair_chart(chart, on_select="rerun", key="unknowns_map")
    return [str(row["image_id"]) for row in event["selection"].get("marked", []) if "image_id" in row]


def _ink() -> str:
    """The colour of text in a plot, which Streamlit's theme leaves black."""
    return "#e8eaed" if st.context.theme.type == "dark" else "#1c2430"


def _show(chart: alt.Chart | alt.LayerChart) -> None:
    st.altair_chart(chart)
