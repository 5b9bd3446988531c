"""What every page is given: the data directory and the settings of this moment, and how old the data are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st

from meter_pipeline.dashboard.text import ago
from meter_pipeline.settings import Settings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.queries import fingerprint, written_at

Fingerprint = tuple[int, ...]


@dataclass(frozen=True)
class Now:
    """The data directory and the settings, as they are in this run of the page."""

    layout: Layout
    settings: Settings

    def fingerprint(self, *tables: str) -> Fingerprint:
        """Return what changes when one of the tables does: the key of everything cached."""
        return fingerprint(self.layout.lake, *tables)

    def show_no_model(self) -> None:
        """Say that there is no model in use yet, and what to do."""
        st.info(
            f"There is no model in use yet. Put labelled photos into `{self.layout.raw}/<CLASS>/`, "
            "two classes at least, and run `meter train`.",
            icon=":material/folder_open:",
        )

    def show_age(self, *tables: str) -> None:
        """Say how old the page's data are."""
        written = written_at(self.layout.lake, *tables)
        if written is None:
            return
        local = written.astimezone().strftime("%d %b %Y, %H:%M:%S")
        st.caption(
            f"Data as of {local} ({ago((datetime.now(UTC) - written).total_seconds())}). "
            "Newer data show at the next click."
        )
