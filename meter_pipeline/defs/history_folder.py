"""Where Dagster's history of a data directory is; imports no Dagster, for who only wants to know."""

from __future__ import annotations

import os
from pathlib import Path

from meter_pipeline.settings import PROJECT_DIR


def default_home(data_dir: Path) -> Path:
    """Return the folder of Dagster's history for a data directory: beside the project's own, inside any other."""
    return PROJECT_DIR / "dagster_home" if data_dir == PROJECT_DIR / "data" else data_dir / "dagster_home"


def home_of(data_dir: Path) -> Path:
    """Return the folder of Dagster's history for a data directory, as it is or will be; nothing is made."""
    return Path(os.environ.get("DAGSTER_HOME") or default_home(data_dir)).expanduser().resolve()
