"""The table of clusters is lost: clusters get the numbers back that their folders have."""

from __future__ import annotations

from pathlib import Path

from meter_pipeline.discovery.cluster_folders import write_cluster_folders
from meter_pipeline.discovery.salvaged_clusters import restore_clusters
from meter_pipeline.discovery.unknown_clusters import cluster_unknowns
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import UNKNOWN_CLUSTERS, UNKNOWN_LOOKS
from meter_pipeline_tests.support.unknown_photos import put_unknown


def test_ids_stay_though_the_table_is_lost(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    put_unknown(layout, {"alpha": 6, "beta": 5, "gamma": 4})
    cluster_unknowns(layout)
    table = layout.lake.frame(UNKNOWN_CLUSTERS)
    renumbered = table.assign(cluster_id=table["cluster_id"].where(table["cluster_id"] < 0, table["cluster_id"] + 40))
    layout.lake.replace(UNKNOWN_CLUSTERS, renumbered)
    write_cluster_folders(layout)
    before = dict(zip(renumbered["image_id"], renumbered["cluster_id"], strict=True))
    for name in (UNKNOWN_CLUSTERS.name, UNKNOWN_LOOKS.name):
        layout.lake.shard_files(name)[0].write_bytes(b"")
    assert restore_clusters(layout) == len(before)
    layout.lake.drop_damage(UNKNOWN_LOOKS)
    cluster_unknowns(layout)
    after = layout.lake.frame(UNKNOWN_CLUSTERS)
    assert dict(zip(after["image_id"], after["cluster_id"], strict=True)) == before
    assert layout.lake.count(UNKNOWN_LOOKS) == len(before)
    write_cluster_folders(layout)
