"""Part of the page Batches: a results file made elsewhere, its missing columns named, its rows as text."""

from __future__ import annotations

import streamlit as st

from meter_pipeline.dashboard.browsing.foreign_results import LABEL, ForeignResults, open_results, with_label
from meter_pipeline.dashboard.paging import choose_page
from meter_pipeline.dashboard.text import plain
from meter_pipeline.errors import MeterError
from meter_pipeline.labels import counted

PAGE_SIZE = 100
ALL = "All labels"


def show() -> None:
    """Draw it."""
    given = st.file_uploader("A results table (CSV or XLSX)", type=["csv", "tsv", "xlsx", "xls", "ods"])
    if given is None:
        st.info(
            "Choose a batch report of another installation, or an older one. It is shown here, and nothing is stored."
        )
        return
    try:
        with st.spinner("Reading the file"):
            results = _opened(given.name, given.getvalue())
    except MeterError as error:
        st.error(plain(str(error)))
        return
    _show_columns(results)
    label = None
    if results.labels:
        options = [ALL, *results.labels]
        chosen = st.selectbox(
            "Label",
            options,
            format_func=lambda name: f"{name} ({results.labels.get(name, len(results.rows)):,})",
            width=420,
        )
        label = None if chosen == ALL else chosen
    rows = with_label(results, label)
    page = choose_page(len(rows), PAGE_SIZE, f"foreign_page_{label}")
    shown = rows[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]
    st.dataframe(
        {name: [row[place] for row in shown] for place, name in enumerate(results.header)},
        hide_index=True,
        alt="Rows of the results file",
    )


def _show_columns(results: ForeignResults) -> None:
    st.markdown(f"**{counted(len(results.rows), 'row')}**")
    if results.missing:
        st.warning("Missing columns: " + plain(", ".join(results.missing)))
    else:
        st.success("The file has all columns of a batch report.")
    if results.further:
        st.caption("Additional columns: " + plain(", ".join(results.further)))
    if LABEL not in results.header:
        st.caption("Without the column final\\_prediction the rows cannot be filtered by label.")


@st.cache_data(max_entries=2, show_spinner=False)
def _opened(name: str, content: bytes) -> ForeignResults:
    return open_results(name, content)
