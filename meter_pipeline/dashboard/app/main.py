"""The dashboard's entry: its pages, and a person's mistakes said in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import streamlit as st

from meter_pipeline.dashboard.context import Now
from meter_pipeline.dashboard.text import plain
from meter_pipeline.errors import MeterError
from meter_pipeline.settings import load_settings
from meter_pipeline.storage.layout import Layout

PAGES = (
    ("batches", "Batches", ":material/table_rows:"),
    ("single_photo", "One photo", ":material/photo_camera:"),
    ("classes", "Classes", ":material/category:"),
    ("unknowns", "Unknowns", ":material/help_center:"),
    ("review", "Review", ":material/checklist:"),
    ("model", "Model", ":material/insights:"),
)
"""Module, title and icon; the first one opens first, and needs neither torch nor a model."""


def main() -> None:
    """Draw the page that was asked for."""
    st.set_page_config(page_title="Meter pipeline", page_icon="⚡", layout="wide")
    try:
        settings = load_settings()
        now = Now(Layout(settings.data_dir), settings)
        pages = [
            st.Page(_page(module, now), title=title, icon=icon, url_path=module, default=module == PAGES[0][0])
            for module, title, icon in PAGES
        ]
        st.navigation(pages).run()
    except MeterError as error:
        st.error(plain(str(error)))


def _page(module: str, now: Now) -> Callable[[], None]:
    def page() -> None:
        import_module(f"meter_pipeline.dashboard.pages.{module}").show(now)

    return page


main()
