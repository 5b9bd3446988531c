"""`data/set_aside/`: damaged files that a person may still want to look at, out of the way of the pipeline."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from meter_pipeline.errors import storage_errors
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.private_folders import make_private


def set_aside(layout: Layout, path: Path) -> Path:
    """Move a file or a folder of the data directory to the same place below a folder of today; return where it is.

    Raises:
        StorageError: the disk is full or not ours to write.
    """
    today = layout.set_aside / f"{datetime.now(UTC):%Y-%m-%d}"
    inside = path.relative_to(layout.root) if path.is_relative_to(layout.root) else Path(path.name)
    target, number = today / inside, 1
    while target.exists() or target.is_symlink():
        number += 1
        target = today / inside.with_name(f"{inside.stem}_{number}{inside.suffix}")
    with storage_errors(target):
        make_private(target.parent)
        shutil.move(path, target)
    return target
