"""Manifests: which shards a table consists of, written twice, each with a hash of itself.

The copy is written first. So it is never older than the manifest; where one of the two is lost or damaged the other
tells the same table, and if a process was killed between the two writes, or an old manifest was put back, the copy
tells the newer one, whose shards are all there.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from meter_pipeline.storage.damage import Damage, damaged
from meter_pipeline.storage.files import write_bytes
from meter_pipeline.storage.read_errors import may_pass
from meter_pipeline.storage.sealed_json import read_sealed, sealed

_logger = logging.getLogger(__name__)

MANIFEST, MANIFEST_COPY = "manifest.json", "second_manifest.json"
SHARD_SUFFIX = ".parquet"


@dataclass(frozen=True)
class Part:
    """Rows of a table that are read, made and replaced together, such as those of one drop; all are in one shard.

    Attributes:
        name: what they have in common, the text in the table's column `TableSpec.parted_by`.
        rows: how many they are.
        digest: the sum of their hashes, 32 hex digits.
        made_from: what their writer noted, to know later whether they are up to date; empty where it noted nothing.
    """

    name: str
    rows: int
    digest: str
    made_from: str = ""


@dataclass(frozen=True)
class Shard:
    """One Parquet file of a table.

    Attributes:
        file: its name in the table's folder.
        rows: how many it holds.
        digest: the sum of their hashes, 32 hex digits.
        bytes: its size.
        sha256: of its bytes.
        parts: what its rows are divided into; nothing where that is not known, or the table has no parts.
    """

    file: str
    rows: int
    digest: str
    bytes: int
    sha256: str
    parts: Sequence[Part] = ()


@dataclass(frozen=True)
class Replaced:
    """A shard that is no longer part of the table, kept for readers that still use an older manifest.

    Attributes:
        file: its name.
        at: when it was replaced, seconds since 1970, UTC.
    """

    file: str
    at: float


@dataclass(frozen=True)
class Manifest:
    """What a table consists of.

    Attributes:
        table: its name.
        key: columns that tell its rows apart.
        revision: number of writes; 0 before the first one is done.
        shards: its files.
        replaced: files of before that are still there.
    """

    table: str
    key: Sequence[str]
    revision: int = 0
    shards: Sequence[Shard] = ()
    replaced: Sequence[Replaced] = ()


@dataclass(frozen=True)
class _Pair:
    """The two files as they are: a manifest each; None where there is none, or a damage."""

    manifest: Manifest | Damage | None
    copy: Manifest | Damage | None

    @property
    def sound(self) -> list[Manifest]:
        """Those that can be used, the newest first; of two of one age the manifest itself."""
        there = [each for each in (self.manifest, self.copy) if isinstance(each, Manifest)]
        return sorted(there, key=lambda each: -each.revision)


def read_manifest(folder: Path, table: str) -> Manifest | None:
    """Return what a table consists of; None if it was never written.

    Raises:
        DamagedTableError: both files are damaged, or both are missing and shards are there.
    """
    pair = _read_pair(folder, table)
    if not pair.sound:
        for each in (pair.manifest, pair.copy):
            if isinstance(each, Damage):
                raise damaged(each)
        if not _has_shards(folder):
            return None
        pair = _read_pair(folder, table)  # another process may just have written the first ones
        if not pair.sound:
            raise damaged(Damage(table, folder / MANIFEST, "is missing"))
    if isinstance(pair.manifest, Damage):
        _say_once(pair.manifest)
    return pair.sound[0]


def begin_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a table without shards if there is nothing of it yet.

    So a manifest is there before the first shard: shards without one are a damage, not a killed first write.
    """
    if not any((folder / name).exists() for name in (MANIFEST, MANIFEST_COPY)) and not _has_shards(folder):
        write_manifest(folder, manifest)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write both files; the table is what they say from the first one on."""
    content = vars(manifest) | {
        "shards": [vars(shard) | {"parts": [vars(part) for part in shard.parts]} for shard in manifest.shards],
        "replaced": [vars(each) for each in manifest.replaced],
    }
    raw = sealed(content, indent=None)
    write_bytes(folder / MANIFEST_COPY, raw, flush=False)  # what a power failure makes of it matters only if both rot
    write_bytes(folder / MANIFEST, raw)


def manifest_damage(folder: Path, table: str) -> list[Damage]:
    """Return what is wrong with the two files, whether or not the table can still be read."""
    pair = _read_pair(folder, table)
    found = [each for each in (pair.manifest, pair.copy) if isinstance(each, Damage)]
    missing = [
        Damage(table, folder / name, "is missing")
        for name, each in ((MANIFEST, pair.manifest), (MANIFEST_COPY, pair.copy))
        if each is None
    ]
    if len(missing) == 2 and not _has_shards(folder):
        return []
    newest = pair.sound[0] if pair.sound else None
    stale = [
        Damage(table, folder / name, "is older than the other copy of it")
        for name, each in ((MANIFEST, pair.manifest), (MANIFEST_COPY, pair.copy))
        if isinstance(each, Manifest) and newest is not None and each.revision != newest.revision
    ]
    return [*found, *missing, *stale]


def restore_manifest(folder: Path, table: str) -> bool:
    """Write the manifest again if only its copy is sound; whoever writes to the table does this first.

    Returns:
        Whether it was written.

    Raises:
        DamagedTableError: neither is sound.
    """
    manifest = read_manifest(folder, table)
    if manifest is None or not manifest_damage(folder, table):
        return False
    write_manifest(folder, manifest)
    return True


def _read_pair(folder: Path, table: str) -> _Pair:
    copy = _read(folder / MANIFEST_COPY, table)  # first, as it is written first: it is never found newer by chance
    return _Pair(_read(folder / MANIFEST, table), copy)


def _read(path: Path, table: str) -> Manifest | Damage | None:
    try:
        content = read_sealed(path)
        manifest = _from_json(content)
    except FileNotFoundError:
        return None
    except OSError as error:
        return Damage(table, path, f"cannot be read: {error.strerror or error}", may_pass=may_pass(path, error))
    except (KeyError, TypeError):
        return Damage(table, path, "is of another version of this program")
    except ValueError as error:
        return Damage(table, path, str(error))
    if manifest.table != table:
        return Damage(table, path, f"is the manifest of another table, {manifest.table}")
    return manifest


def _from_json(content: dict[str, Any]) -> Manifest:
    shards = tuple(map(_shard, content.pop("shards")))
    replaced = tuple(Replaced(**each) for each in content.pop("replaced"))
    return Manifest(shards=shards, replaced=replaced, **content)


def _shard(content: dict[str, Any]) -> Shard:
    return Shard(**{**content, "parts": tuple(Part(**part) for part in content.get("parts", ()))})


def _has_shards(folder: Path) -> bool:
    return any(folder.glob(f"*{SHARD_SUFFIX}"))


@lru_cache(maxsize=256)
def _say_once(damage: Damage) -> None:
    _logger.warning("%s %s; its second copy is used", damage.path, damage.problem)
