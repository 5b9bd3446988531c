"""Runs the dashboard with Streamlit's options: what the first page needs is loaded before the port opens."""

from __future__ import annotations

import sys
from pathlib import Path

UNUSED = "triton"
"""torchvision imports torch's compiler, and that imports Triton where there is one: 75 MB that nothing here uses."""


def main() -> None:
    """Load, then hand over to Streamlit."""
    sys.modules[UNUSED] = None  # type: ignore[assignment]  # for Python: there is no such module
    _preload()
    from streamlit.web import cli

    cli.main(["run", str(Path(__file__).parent / "app" / "main.py"), *sys.argv[1:]], prog_name="meter dashboard")


def _preload() -> None:
    """Import while nobody waits what the first page needs.

    Torch, altair and captum wait for the page that needs them, and so do the pages: what they cache needs a server that
    runs.
    """
    import duckdb  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import streamlit.elements.arrow  # noqa: F401

    import meter_pipeline.dashboard.browsing.classes
    import meter_pipeline.dashboard.browsing.clusters
    import meter_pipeline.dashboard.browsing.drops
    import meter_pipeline.dashboard.browsing.rows
    import meter_pipeline.photos.thumbnails  # noqa: F401


if __name__ == "__main__":
    main()
