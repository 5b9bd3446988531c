"""Tables whose files rot, are cut or lost: nothing that was not written is read, and what is sound stays."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meter_pipeline.storage import lake as lake_module
from meter_pipeline.storage.damage import DamagedTableError
from meter_pipeline.storage.lake import REPLACED_SHARD_LIFETIME_S, Lake
from meter_pipeline.storage.manifests import MANIFEST, MANIFEST_COPY
from meter_pipeline.storage.queries import querying
from meter_pipeline.storage.sound_rows import sound_rows
from meter_pipeline.storage.tables import CLUSTER_EVENTS, UNKNOWN_CLUSTERS

TABLE = UNKNOWN_CLUSTERS


def rows(*image_ids: str) -> pd.DataFrame:
    return pd.DataFrame({"image_id": image_ids, "cluster_id": 1, "membership": 0.5}).reindex(
        columns=list(TABLE.columns)
    )


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A table of two shards, and another table."""
    lake = Lake(tmp_path / "lake")
    lake.append(TABLE, rows("a", "b"))
    lake.append(TABLE, rows("c"))
    event = {"revision": 1, "cluster_id": 1, "event": "new", "from_clusters": "", "count": 3}
    lake.replace(CLUSTER_EVENTS, pd.DataFrame([event]))
    return lake


def flip(path: Path, at: float) -> None:
    """Change one bit of a file, and let it look as old as it was."""
    status, content = path.stat(), bytearray(path.read_bytes())
    content[int(len(content) * at)] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


DAMAGES: dict[str, Callable[[Path, Path], object]] = {
    "a bit of a page": lambda shard, _: flip(shard, 0.05),
    "a bit of the footer": lambda shard, _: flip(shard, 0.9),
    "cut": lambda shard, _: shard.write_bytes(shard.read_bytes()[:200]),
    "longer": lambda shard, _: shard.write_bytes(shard.read_bytes() + b"\0"),
    "empty": lambda shard, _: shard.write_bytes(b""),
    "gone": lambda shard, _: shard.unlink(),
    "a folder": lambda shard, _: (shard.unlink(), shard.mkdir()),
    "that of another table": lambda shard, other: shutil.copy(other, shard),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_shard_is_refused_by_every_reader_and_left_out_by_mending(lake: Lake, damage: str) -> None:
    first, _ = lake.shard_files(TABLE.name)
    lake.read(TABLE)  # its hash is remembered
    DAMAGES[damage](first, lake.shard_files(CLUSTER_EVENTS.name)[0])
    with pytest.raises(DamagedTableError, match=r"verify --mend") as refused:
        lake.read(TABLE)
    assert (refused.value.table, refused.value.where) == (TABLE.name, str(first))
    with pytest.raises(DamagedTableError), querying(lake, TABLE.name):
        pass
    with pytest.raises(DamagedTableError):
        lake.upsert(TABLE, rows("d"))
    (found,) = lake.damage(TABLE)
    assert (found.table, found.path) == (TABLE.name, first)
    assert lake.count(CLUSTER_EVENTS) == len(lake.read(CLUSTER_EVENTS)), "other tables can be used"
    assert lake.drop_damage(TABLE) == 1
    assert lake.frame(TABLE)["image_id"].tolist() == ["c"]
    assert lake.damage(TABLE) == []
    assert lake.drop_damage(TABLE) == 0


PASSING = (
    ("sha256_of", PermissionError(errno.EACCES, "Permission denied")),
    ("sha256_of", OSError(errno.EMFILE, "Too many open files")),
    ("pq.ParquetFile", pa.ArrowMemoryError("malloc of size 64 failed")),
)


@pytest.mark.parametrize(("what", "error"), PASSING)
def test_a_shard_that_could_not_be_read_now_is_neither_left_out_nor_moved(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, what: str, error: Exception
) -> None:
    files = lake.shard_files(TABLE.name)

    def fail(path: Path, **_: object) -> str:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(f"meter_pipeline.storage.shards.{what}", fail)
        assert [found.may_pass for found in lake.damage(TABLE)] == [True, True]
        for mend in (lambda: lake.drop_damage(TABLE), lambda: lake.put_damage_aside(TABLE, Path.unlink)):
            with pytest.raises(DamagedTableError, match="cannot be read"):
                mend()
        with pytest.raises(DamagedTableError):
            sound_rows(lake, TABLE)
    assert lake.damage(TABLE) == []
    assert lake.shard_files(TABLE.name) == files
    assert lake.count(TABLE) == len(lake.read(TABLE)) == 3


def test_a_page_that_rots_after_its_file_was_hashed_is_noticed(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = lake.shard_files(TABLE.name)
    before = lake.frame(TABLE)
    data = pq.ParquetFile(first).metadata.row_group(0).column(0)
    content = bytearray(first.read_bytes())
    content[data.data_page_offset + data.total_compressed_size // 2] ^= 1
    first.write_bytes(content)
    monkeypatch.setattr("meter_pipeline.storage.shards.difference", lambda *_, **__: None)
    with pytest.raises(DamagedTableError, match="cannot be read"):
        lake.read(TABLE)
    assert before["image_id"].tolist() == ["a", "b", "c"]


MANIFEST_DAMAGES: dict[str, Callable[[Path], object]] = {
    "a bit": lambda manifest: flip(manifest, 0.5),
    "cut": lambda manifest: manifest.write_bytes(manifest.read_bytes()[:100]),
    "empty": lambda manifest: manifest.write_bytes(b""),
    "gone": lambda manifest: manifest.unlink(),
    "that of another table": lambda manifest: shutil.copy(
        manifest.parents[1] / CLUSTER_EVENTS.name / MANIFEST, manifest
    ),
}


@pytest.mark.parametrize("damage", MANIFEST_DAMAGES)
def test_a_damaged_manifest_is_read_from_its_copy(lake: Lake, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    manifest, version = lake.manifest(TABLE.name), lake.version(TABLE)
    MANIFEST_DAMAGES[damage](manifest)
    with caplog.at_level(logging.WARNING):
        assert lake.version(TABLE) == version
    assert damage == "gone" or str(manifest) in caplog.text
    assert [found.path for found in lake.damage(TABLE)] == [manifest]
    assert lake.restore_manifest(TABLE)
    assert lake.damage(TABLE) == []
    MANIFEST_DAMAGES[damage](manifest)
    lake.append(TABLE, rows("d"))
    assert lake.frame(TABLE)["image_id"].tolist() == ["a", "b", "c", "d"]


@pytest.mark.parametrize("damage", MANIFEST_DAMAGES)
def test_a_table_without_manifest_and_copy_is_damaged_not_empty(lake: Lake, damage: str) -> None:
    lake.upsert(TABLE, rows("c"))  # what it replaced is still there
    for name in (MANIFEST, MANIFEST_COPY):
        MANIFEST_DAMAGES[damage](lake.manifest(TABLE.name).with_name(name))
    with pytest.raises(DamagedTableError):
        lake.count(TABLE)
    assert lake.drop_damage(TABLE) > 0
    assert sorted(lake.frame(TABLE)["image_id"]) == ["a", "b", "c"]
    for name in (MANIFEST, MANIFEST_COPY):
        MANIFEST_DAMAGES[damage](lake.manifest(TABLE.name).with_name(name))
    lake.replace(TABLE, rows("e"))
    assert lake.frame(TABLE)["image_id"].tolist() == ["e"]


def test_an_older_manifest_that_was_put_back_is_not_believed(lake: Lake) -> None:
    manifest = lake.manifest(TABLE.name)
    old = manifest.read_bytes()
    lake.append(TABLE, rows("d"))
    lake.append(TABLE, rows("e"))
    manifest.write_bytes(old)
    assert lake.count(TABLE) == 5


def test_a_replaced_shard_lives_an_hour_after_it_was_replaced(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    old = lake.shard_files(TABLE.name)
    for path in old:
        os.utime(path, (0, 0))  # written long ago
    lake.replace(TABLE, rows("x"))
    lake.append(TABLE, rows("y"))
    assert all(path.exists() for path in old)
    later = lake_module.time.time() + REPLACED_SHARD_LIFETIME_S + 1
    monkeypatch.setattr(lake_module.time, "time", lambda: later)
    lake.append(TABLE, rows("z"))
    assert not any(path.exists() for path in old)
    assert lake.frame(TABLE)["image_id"].tolist() == ["x", "y", "z"]


def test_a_reader_whose_shards_vanish_reads_the_new_manifest(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with querying(lake, TABLE.name) as queries:
        stale = lake._manifest(TABLE.name)
        for path in lake.shard_files(TABLE.name):
            path.unlink()
        lake.replace(TABLE, rows("new"))
        assert queries.value(f"SELECT image_id FROM {TABLE.name}") == "new"
    fresh, seen = lake._manifest, iter([stale])
    monkeypatch.setattr(lake, "_manifest", lambda table: next(seen, None) or fresh(table))
    assert lake.frame(TABLE)["image_id"].tolist() == ["new"]
