"""The rows of a damaged table that can still be read, for whoever makes the others anew."""

from __future__ import annotations

import pyarrow as pa

from meter_pipeline.storage.damage import DamagedTableError
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.manifests import read_manifest
from meter_pipeline.storage.shards import read_shard, shard_damage, shards_found
from meter_pipeline.storage.tables import TableSpec


def sound_rows(lake: Lake, spec: TableSpec) -> pa.Table:
    """Return the rows of a table's sound shards; all of them if it is not damaged."""
    folder = lake.root / spec.name
    try:
        manifest = read_manifest(folder, spec.name)
        shards = list(manifest.shards) if manifest is not None else []
    except DamagedTableError:
        shards = list(shards_found(folder, spec))
    sound = [shard for shard in shards if shard_damage(folder, spec.name, shard) is None]
    parts = [read_shard(folder, spec, shard, list(spec.columns)).cast(spec.schema) for shard in sound]
    return pa.concat_tables([spec.schema.empty_table(), *parts])
