"""A small table, and a process that replaces it again and again: python -m <this module> FOLDER."""

from __future__ import annotations

import subprocess
import sys
from itertools import count
from pathlib import Path

import pandas as pd

from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.tables import FLOAT, INT, STRING, Column, TableSpec

CLUSTERS = TableSpec(
    "clusters",
    "A small table.",
    {
        "image_id": Column(STRING, "A photo."),
        "cluster_id": Column(INT, "Its cluster."),
        "membership": Column(FLOAT, "How firmly it belongs there."),
    },
    key=("image_id",),
)
WRITTEN_ROWS = 500


def start_writer(folder: Path) -> subprocess.Popen[bytes]:
    """Start this module in a process of its own."""
    return subprocess.Popen([sys.executable, "-m", __name__, str(folder)])


def main(folder: str) -> None:
    """Replace the table for ever: in the n-th one all photos are in cluster n."""
    lake = Lake(Path(folder))
    for turn in count(1):
        image_ids = [str(number) for number in range(WRITTEN_ROWS)]
        lake.replace(CLUSTERS, pd.DataFrame({"image_id": image_ids, "cluster_id": turn, "membership": 1.0}))


if __name__ == "__main__":
    main(sys.argv[1])
