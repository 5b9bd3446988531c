"""Runs the dashboard's server: what the first page needs is loaded before the port opens."""

from __future__ import annotations

import argparse
import sys

from meter_pipeline.errors import MeterError
from meter_pipeline.settings import load_settings

UNUSED = "triton"
"""torchvision imports torch's compiler, and that imports Triton where there is one: 75 MB that nothing here uses."""


def main() -> None:
    """Load, then serve."""
    parser = argparse.ArgumentParser(prog="python -m meter_pipeline.dashboard", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8501, help="port to listen on")
    asked = parser.parse_args()
    sys.modules[UNUSED] = None  # type: ignore[assignment]  # for Python: there is no such module
    _preload()
    from meter_pipeline.dashboard.server.app import run

    try:
        run(load_settings(), host=asked.host, port=asked.port)
    except MeterError as error:
        raise SystemExit(str(error)) from error


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
