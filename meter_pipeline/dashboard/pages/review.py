"""The page Review: groups of UNKNOWN photos are named by keys; the component does the work, over our own routes."""

from __future__ import annotations

import streamlit as st

from meter_pipeline.dashboard.context import Now
from meter_pipeline.dashboard.correcting import YOUR_NAME, keep_name
from meter_pipeline.dashboard.review_page import part
from meter_pipeline.dashboard.server.sub_path import BASE_HEADER
from meter_pipeline.dashboard.server.token import session_token

_review = st.components.v2.component("meter_review", html=part("html"), css=part("css"), js=part("js"))


def show(now: Now) -> None:  # noqa: ARG001
    """Draw the page."""
    # The grid gets the screen.
    st.html("<style>.stMainBlockContainer{padding:4rem 1.4rem 1rem} h1{font-size:1.7rem!important}</style>")
    if "reviewer" not in st.query_params and st.session_state.get(YOUR_NAME):
        st.session_state.setdefault("reviewer", st.session_state[YOUR_NAME])
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Review", anchor=False, width="content")
        by = st.text_input(
            "Your name",
            key="reviewer",
            bind="query-params",  # a reload keeps it
            max_chars=60,
            placeholder="Your name (may stay empty)",
            label_visibility="collapsed",
            width=260,
        )
    keep_name(by.strip())
    cluster = st.query_params.get("group", "")
    _review(
        key="review",
        data={
            "token": session_token(),
            "base": st.context.headers.get(BASE_HEADER, ""),
            "by": by.strip(),
            "cluster": int(cluster) if cluster.lstrip("-").isdigit() else None,
        },
    )
