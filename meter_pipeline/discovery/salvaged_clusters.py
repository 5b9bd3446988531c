"""Clusters whose table was lost, as far as the cluster folders still say which photo was in which.

Photos are clustered again by the next update in any case; from this they get the ids that people know.
"""

from __future__ import annotations

import re

import pandas as pd

from meter_pipeline.discovery.folder_manifest import SHEET_KIND, manifest_or_found
from meter_pipeline.labels import NOISE
from meter_pipeline.storage.layout import CLUSTER_FOLDER, NOISE_FOLDER, Layout
from meter_pipeline.storage.sound_rows import sound_rows
from meter_pipeline.storage.tables import CLUSTER_EVENTS, UNKNOWN_CLUSTERS

_FOLDER = re.compile(re.escape(CLUSTER_FOLDER.partition("{")[0]) + r"(\d+)")


def restore_clusters(layout: Layout) -> int:
    """Write `unknown_clusters` anew: its sound rows, and the places of lost ones by the folders; return how many.

    Raises:
        StorageError: the disk is full or not ours to write.
    """
    lake = layout.lake
    sound = sound_rows(lake, UNKNOWN_CLUSTERS).to_pandas()
    there = set(sound["image_id"])
    places = {image_id: place for image_id, place in _places(layout).items() if image_id not in there}
    revisions = sound_rows(lake, CLUSTER_EVENTS)["revision"].to_pylist()
    row = dict.fromkeys(UNKNOWN_CLUSTERS.columns) | {
        "membership": 0.0,
        "settled": False,
        "constrained": False,
        "found_with": "",
        "revision": max(revisions, default=1),
    }
    lost = [{**row, "image_id": image_id, "cluster_id": place} for image_id, place in sorted(places.items())]
    restored = pd.DataFrame(lost, columns=list(UNKNOWN_CLUSTERS.columns)).astype(object)
    lake.replace(UNKNOWN_CLUSTERS, pd.concat([sound.astype(object), restored], ignore_index=True))
    lake.drop_replaced(UNKNOWN_CLUSTERS)
    return len(lost)


def _places(layout: Layout) -> dict[str, int]:
    """Return the cluster of each photo that lies in a cluster folder, -1 for noise."""
    places = {}
    for path, owner in manifest_or_found(layout).items():
        folder = path.partition("/")[0]
        numbered = _FOLDER.fullmatch(folder)
        if not owner.startswith(SHEET_KIND) and (numbered or folder == NOISE_FOLDER):
            places[owner] = int(numbered[1]) if numbered else NOISE
    return places
