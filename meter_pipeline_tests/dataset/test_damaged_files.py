"""Labelled photos that rotted or were cut are told from those that a person replaced or took away."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from meter_pipeline.dataset.damaged_files import damaged_files, known_places
from meter_pipeline.dataset.image_inventory import take_inventory
from meter_pipeline.dataset.salvaged_split import restore_split
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DATASET_SPLIT, IMAGE_INVENTORY, KNOWN_EMBEDDINGS
from meter_pipeline_tests.support.patterns import draw, write_raw


def _with_inventory(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    write_raw(layout.raw, {"BLUE_A": 5})
    layout.lake.replace(
        IMAGE_INVENTORY, take_inventory(layout.raw, pd.DataFrame(columns=list(IMAGE_INVENTORY.columns)))
    )
    return layout


def test_rot_and_cuts_are_found_and_a_persons_changes_are_not(tmp_path: Path) -> None:
    layout = _with_inventory(tmp_path)
    assert not list(damaged_files(layout))
    rotten, cut, replaced, taken, _sound = sorted((layout.raw / "BLUE_A").iterdir())
    status, content = rotten.stat(), bytearray(rotten.read_bytes())
    content[len(content) // 2] ^= 1
    rotten.write_bytes(content)
    os.utime(rotten, ns=(status.st_atime_ns, status.st_mtime_ns))
    cut.write_bytes(cut.read_bytes()[:300])
    draw("BLUE_A", 99).save(replaced)
    taken.unlink()
    assert {file.path: file.problem.split(",")[0].split(":")[0] for file in damaged_files(layout)} == {
        rotten: "does not hold what the inventory read",
        cut: "cannot be decoded any more",
    }
    assert len(known_places(layout)) == 5


def test_photos_stay_where_they_were_split_though_the_split_is_lost(tmp_path: Path) -> None:
    layout = _with_inventory(tmp_path)
    rows = layout.lake.frame(IMAGE_INVENTORY)[["image_id", "path", "label", "group_id"]]
    split = rows.assign(split=["train", "train", "test", "val", "train"], rule="for a test")
    layout.lake.replace(DATASET_SPLIT, split)
    known = split.reindex(columns=list(KNOWN_EMBEDDINGS.columns)).astype(object)
    layout.lake.replace(KNOWN_EMBEDDINGS, known)
    layout.lake.shard_files(DATASET_SPLIT.name)[0].write_bytes(b"")
    assert restore_split(layout) == 5
    again = layout.lake.frame(DATASET_SPLIT)
    columns = ["image_id", "path", "label", "group_id", "split"]
    pd.testing.assert_frame_equal(
        again[columns].sort_values("path", ignore_index=True), split[columns].sort_values("path", ignore_index=True)
    )
