"""The rows of a damaged table that can still be read, for whoever makes the others anew."""

from __future__ import annotations

import pyarrow as pa

from meter_pipeline.storage.damage import DamagedTableError, damaged
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.manifests import manifest_damage, read_manifest
from meter_pipeline.storage.shards import read_shard, shard_damage, shards_found
from meter_pipeline.storage.tables import TableSpec


def sound_rows(lake: Lake, spec: TableSpec) -> pa.Table:
    """Return the rows of a table's sound shards; all of them if it is not damaged.

    Raises:
        DamagedTableError: a shard or a manifest could not be read now: it may be sound, and nobody knows what is lost.
        OSError: the same, of a table whose manifests are lost.
    """
    folder = lake.root / spec.name
    try:
        manifest = read_manifest(folder, spec.name)
        shards = list(manifest.shards) if manifest is not None else []
    except DamagedTableError:
        if any(damage.may_pass for damage in manifest_damage(folder, spec.name)):
            raise
        shards = list(shards_found(folder, spec))
    found = [(shard, shard_damage(folder, spec.name, shard)) for shard in shards]
    for _, damage in found:
        if damage is not None and damage.may_pass:
            raise damaged(damage)
    sound = [shard for shard, damage in found if damage is None]
    parts = [read_shard(folder, spec, shard, list(spec.columns)).cast(spec.schema) for shard in sound]
    return pa.concat_tables([spec.schema.empty_table(), *parts])
