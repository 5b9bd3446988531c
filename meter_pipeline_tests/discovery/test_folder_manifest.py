"""The note on the cluster folders is lost or damaged: ours are found again, a person's files stay."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from meter_pipeline.discovery.cluster_folders import write_cluster_folders
from meter_pipeline.discovery.folder_manifest import manifest_or_found, manifest_path, read_manifest
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import UNKNOWN_CLUSTERS
from meter_pipeline_tests.support.unknown_photos import put_unknown


@pytest.mark.parametrize("content", [None, b"", b"\x00\xffgarbage{"])
def test_the_folders_come_out_the_same_and_a_persons_files_stay(tmp_path: Path, content: bytes | None) -> None:
    layout = Layout(tmp_path)
    ids = put_unknown(layout, {"alpha": 3, "beta": 2})
    _put(layout, {0: ids["alpha"], 3: ids["beta"]})
    write_cluster_folders(layout)
    noted = read_manifest(layout)
    _damage(manifest_path(layout), content)
    assert set(manifest_or_found(layout)) == set(noted)

    copied = next((layout.clusters / "cluster_0000").glob("001_*.jpg"))
    turned = layout.clusters / "cluster_0003" / copied.name.replace("001", "009")
    shutil.copyfile(copied, turned)
    turned.write_bytes(turned.read_bytes() + b"of a person")
    note = layout.clusters / "cluster_0003" / "ask Ravi.txt"
    note.write_text("new?", encoding="utf-8")
    _put(layout, {0: [*ids["alpha"], *ids["beta"]]})  # cluster 3 is gone since
    _damage(manifest_path(layout), content)
    write_cluster_folders(layout)
    assert {path.name for path in (layout.clusters / "cluster_0003").iterdir()} == {note.name, turned.name}
    assert len(list((layout.clusters / "cluster_0000").glob("*.jpg"))) == 6
    assert set(read_manifest(layout).values()) >= {*ids["alpha"], *ids["beta"]}


def _damage(note: Path, content: bytes | None) -> None:
    if content is None:
        note.unlink(missing_ok=True)
    else:
        note.write_bytes(content)


def _put(layout: Layout, clusters: dict[int, list[str]]) -> None:
    members = [(image_id, cluster_id) for cluster_id, image_ids in clusters.items() for image_id in image_ids]
    rows = [
        dict.fromkeys(UNKNOWN_CLUSTERS.columns) | {"image_id": i, "cluster_id": c, "membership": 0.9}
        for i, c in members
    ]
    layout.lake.replace(UNKNOWN_CLUSTERS, pd.DataFrame(rows).astype(object))
