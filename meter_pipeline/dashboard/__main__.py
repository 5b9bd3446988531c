"""Runs the dashboard with Streamlit's options: what the first page needs is loaded before the port opens."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

PRELOADED = (
    *("pandas", "duckdb", "pyarrow.parquet", "streamlit.elements.arrow"),
    *(f"meter_pipeline.core.{name}" for name in ("drop_browsing", "class_browsing", "cluster_browsing", "thumbnails")),
)
"""Imported while nobody waits. Torch, altair and captum wait for the page that needs them, and so do the pages: what
they cache needs a server that runs."""


UNUSED = "triton"
"""torchvision imports torch's compiler, and that imports Triton where there is one: 75 MB that nothing here uses."""


def main() -> None:
    """Load, then hand over to Streamlit."""
    sys.modules[UNUSED] = None  # type: ignore[assignment]  # for Python: there is no such module
    for name in PRELOADED:
        import_module(name)
    from streamlit.web import cli

    cli.main(["run", str(Path(__file__).with_name("app.py")), *sys.argv[1:]], prog_name="meter dashboard")


if __name__ == "__main__":
    main()
