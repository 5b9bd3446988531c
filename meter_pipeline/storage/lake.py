"""The lake: Parquet tables of immutable shards, each with one manifest that is replaced atomically.

A reader sees the table before or after a write, never half of one, and never a value that was not written: what is
missing, cut or changed raises a `DamagedTableError`. A table's version is the sum of its rows' hashes: it depends on
what the rows hold, not on their order or on how they are split into shards. Tables that grow by drops have parts, so
that a new drop is written and read alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock

from meter_pipeline.errors import storage_errors
from meter_pipeline.storage.damage import Damage, DamagedTableError, VanishedShardError, damaged
from meter_pipeline.storage.files import TEMPORARY_PREFIX
from meter_pipeline.storage.manifests import (
    MANIFEST,
    SHARD_SUFFIX,
    Manifest,
    Part,
    Replaced,
    Shard,
    begin_manifest,
    manifest_damage,
    read_manifest,
    restore_manifest,
    write_manifest,
)
from meter_pipeline.storage.private_folders import make_private
from meter_pipeline.storage.shards import (
    check_shard,
    first_rows,
    parts_of,
    read_shard,
    shard_damage,
    shards_found,
    sum_of_digests,
    write_shard,
)
from meter_pipeline.storage.table_rows import conform, keys
from meter_pipeline.storage.tables import TableSpec

if TYPE_CHECKING:
    import pandas as pd

_logger = logging.getLogger(__name__)
_T = TypeVar("_T")

REPLACED_SHARD_LIFETIME_S = 3600.0
"""Seconds that a shard stays after it was replaced, for readers that still use an older manifest."""
SHARDS_BEFORE_COMPACTION = 64
"""Number of small shards from which on they are merged into one."""
SMALL_SHARD_ROWS = 4096
"""A shard with this many rows is not merged again, so that appending to a large table stays cheap."""


class Lake:
    """The tables of one data directory.

    Args:
        root: folder with one folder per table; made on the first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def exists(self, spec: TableSpec) -> bool:
        """Return whether the table was ever written."""
        return self._manifest(spec.name).revision > 0

    def read(
        self, spec: TableSpec, columns: Iterable[str] | None = None, *, where: pc.Expression | None = None
    ) -> pa.Table:
        """Read a table; a table that was never written is empty.

        Args:
            spec: the table.
            columns: the columns wanted; None: all.
            where: the rows wanted, e.g. `pc.field("model_version") == "0001-ab12cd34"`; None: all.

        Raises:
            DamagedTableError: a file of the table is missing, cut or changed.
        """
        names = list(spec.columns) if columns is None else list(columns)
        schema = pa.schema([(name, spec.columns[name].type) for name in names])
        folder = self.root / spec.name

        def parts(shards: Sequence[Shard]) -> list[pa.Table]:
            return [read_shard(folder, spec, shard, names, where).cast(schema) for shard in shards]

        return pa.concat_tables([schema.empty_table(), *self._with_shards(spec.name, parts)])

    def frame(
        self, spec: TableSpec, columns: Iterable[str] | None = None, *, where: pc.Expression | None = None
    ) -> pd.DataFrame:
        """Read a table as a pandas frame; raises as `read`."""
        return self.read(spec, columns, where=where).to_pandas()

    def head(self, spec: TableSpec, rows: int, columns: Iterable[str] | None = None) -> pa.Table:
        """Read rows of the table's first files: so many, or all if there are fewer; raises as `read`."""
        names = list(spec.columns) if columns is None else list(columns)
        schema = pa.schema([(name, spec.columns[name].type) for name in names])

        def parts(shards: Sequence[Shard]) -> list[pa.Table]:
            found, left = [], rows
            for shard in shards:
                if left > 0:
                    found.append(first_rows(self.root / spec.name, spec, shard, names, left).cast(schema))
                    left -= found[-1].num_rows
            return found

        return pa.concat_tables([schema.empty_table(), *self._with_shards(spec.name, parts)])

    def count(self, spec: TableSpec) -> int:
        """Return the number of rows, from the manifest alone."""
        return sum(shard.rows for shard in self._manifest(spec.name).shards)

    def version(self, spec: TableSpec) -> str:
        """Return the content hash of the table, 32 hex digits; the same rows give the same hash."""
        return sum_of_digests(self._manifest(spec.name).shards)

    def replace(self, spec: TableSpec, rows: pa.Table | pd.DataFrame) -> str:
        """Replace the whole table, damaged or not, and return its version.

        Raises:
            MeterError: two rows share a key.
            StorageError: the disk is full or not ours to write.
        """
        table = conform(spec, rows)
        with self._writing(spec) as folder:
            try:
                old = self._manifest(spec.name)
            except DamagedTableError as error:
                _logger.warning("%s It is made anew.", error.what)
                old = Manifest(spec.name, spec.key)
            if spec.parted_by is None or table[spec.parted_by].null_count:
                shards = [write_shard(folder, spec, table)] if table.num_rows else []
            else:
                writer = _PartWriter(folder, spec)
                writer.add(parts_of(spec, table, {}))
                shards = writer.finish()
            self._commit(spec, old, shards)
        return self.version(spec)

    def parts(self, spec: TableSpec) -> dict[str, Part]:
        """Return what the table consists of, by name; empty where that is not known, or the table has no rows."""
        shards = self._manifest(spec.name).shards
        if not all(shard.parts for shard in shards):
            return {}
        return {part.name: part for shard in shards for part in shard.parts}

    def read_parts(self, spec: TableSpec, names: Collection[str], columns: Iterable[str] | None = None) -> pa.Table:
        """Read some of the table's parts, each in its order; no file is opened that holds none of them.

        Raises:
            DamagedTableError: a file that holds one of them is missing, cut or changed.
        """
        wanted, by = set(names), spec.parted_by
        columns = list(spec.columns) if columns is None else list(columns)
        schema = pa.schema([(name, spec.columns[name].type) for name in columns])

        def pieces(shards: Sequence[Shard]) -> list[pa.Table]:
            found = []
            for shard in shards:
                here = wanted.intersection(part.name for part in shard.parts)
                if here:
                    some = None if len(here) == len(shard.parts) else pc.field(by).isin(sorted(here))
                    found.append(read_shard(self.root / spec.name, spec, shard, columns, some).cast(schema))
            return found

        return pa.concat_tables([schema.empty_table(), *self._with_shards(spec.name, pieces)])

    def divide(self, spec: TableSpec) -> None:
        """Write the table again, part by part, where it is not known what its parts are; raises as `read`."""
        if self.count(spec) and not self.parts(spec):
            self.replace(spec, self.read(spec))

    def replace_parts(
        self,
        spec: TableSpec,
        new: Iterable[tuple[pa.Table | pd.DataFrame, Mapping[str, str]]],
        *,
        kept: Collection[str] = (),
    ) -> str:
        """Make the table of parts that stay and of new ones, and return its version; all others go.

        Files that hold nothing but parts that stay are not touched.

        Args:
            spec: the table.
            new: rows, whole parts of them, with what is noted of a part by its name (`Part.made_from`). It may be
                computed meanwhile, so that not all rows are in memory at a time.
            kept: names of parts that stay.

        Raises:
            DamagedTableError: the manifest, or a file that holds a part that stays, is damaged.
            MeterError: two rows share a key.
            StorageError: the disk is full or not ours to write.
        """
        with self._writing(spec) as folder:
            old = self._manifest(spec.name)
            writer = _PartWriter(folder, spec)
            for shard in old.shards:
                stay = [part for part in shard.parts if part.name in kept]
                if stay:
                    check_shard(folder, spec.name, shard)
                    writer.keep(shard, stay)
            for rows, made_from in new:
                writer.add(parts_of(spec, conform(spec, rows), made_from))
            self._commit(spec, old, writer.finish())
        return self.version(spec)

    def append(self, spec: TableSpec, rows: pa.Table | pd.DataFrame) -> str:
        """Add rows whose keys are new, as one shard, and return the table's version.

        It is not checked that the keys are new; if they may not be, use `upsert`.

        Raises:
            DamagedTableError: the manifest, or a shard that is to be merged, is damaged.
        """
        table = conform(spec, rows)
        if table.num_rows:
            with self._writing(spec) as folder:
                old = self._manifest(spec.name)
                shards = [*old.shards, write_shard(folder, spec, table)]
                small = [shard for shard in shards if shard.rows < SMALL_SHARD_ROWS]
                if len(small) > SHARDS_BEFORE_COMPACTION:
                    large = [shard for shard in shards if shard.rows >= SMALL_SHARD_ROWS]
                    together = pa.concat_tables(read_shard(folder, spec, shard, list(spec.columns)) for shard in small)
                    shards = [*large, write_shard(folder, spec, together)]
                self._commit(spec, old, shards)
        return self.version(spec)

    def upsert(self, spec: TableSpec, rows: pa.Table | pd.DataFrame) -> str:
        """Add rows, replacing those with the same key, and return the table's version; raises as `read`."""
        new = conform(spec, rows)
        if new.num_rows:
            with self._writing(spec) as folder:
                before, old = self._manifest(spec.name), self.read(spec)
                new_keys = set(keys(spec, new))
                kept = old.filter(pa.array([key not in new_keys for key in keys(spec, old)], pa.bool_()))
                self._commit(spec, before, [write_shard(folder, spec, pa.concat_tables([kept, new]))])
        return self.version(spec)

    def manifest(self, table: str) -> Path:
        """Return the path of the table's manifest; each write replaces it, and before the first it does not exist."""
        return self.root / table / MANIFEST

    def shard_files(self, table: str) -> list[Path]:
        """Return the Parquet files that the table consists of now, for readers other than `read`.

        Raises:
            DamagedTableError: one of them is missing, cut or changed.
        """
        folder = self.root / table
        return self._with_shards(table, lambda shards: [check_shard(folder, table, shard) for shard in shards])

    def damage(self, spec: TableSpec) -> list[Damage]:
        """Return what is wrong with the table's files, every byte of them read anew; nothing if all are sound."""
        folder = self.root / spec.name
        found = manifest_damage(folder, spec.name)
        try:
            shards = self._manifest(spec.name).shards
        except DamagedTableError:
            return found
        return [*found, *filter(None, (shard_damage(folder, spec.name, shard) for shard in shards))]

    def put_damage_aside(self, spec: TableSpec, put_aside: Callable[[Path], _T]) -> list[_T]:
        """Hand over the files that `drop_damage` would remove, to be moved away; raises as that."""
        if not self._damage_to_mend(spec):
            return []
        with self._writing(spec) as folder:
            paths = [folder / name for name in self._sound_and_damaged(spec)[2]]
            return [put_aside(path) for path in paths if path.exists() or path.is_symlink()]

    def drop_damage(self, spec: TableSpec) -> int:
        """Leave damaged shards out of the table, and write its manifest and the copy anew.

        Returns:
            The number of shards left out; 0 if the table was sound, or only one of its two manifests was not. Where
            both are lost, the shards that can be read are the table, and at least 1 is returned.

        Raises:
            DamagedTableError: a file could not be read now and may be sound; nothing was left out.
            StorageError: the same, of a table whose manifests are lost.
        """
        if not self._damage_to_mend(spec):
            return 0
        with self._writing(spec) as folder:
            old, sound, damaged_ones = self._sound_and_damaged(spec)
            self._commit(spec, old, sound)
            for path in (folder / name for name in damaged_ones):
                if path.is_file():  # gone at once: programs that read all files of the folder would stumble on it
                    path.unlink()
        return len(damaged_ones) or int(old.revision == 0)

    def _damage_to_mend(self, spec: TableSpec) -> list[Damage]:
        found = self.damage(spec)
        for damage in found:
            if damage.may_pass:
                raise damaged(damage)
        return found

    def _sound_and_damaged(self, spec: TableSpec) -> tuple[Manifest, list[Shard], list[str]]:
        """Return the manifest that counts, an empty one if both are lost, its sound shards, and all other files."""
        folder = self.root / spec.name
        try:
            old = self._manifest(spec.name)
            sound = [shard for shard in old.shards if shard_damage(folder, spec.name, shard) is None]
            return old, sound, [shard.file for shard in old.shards if shard not in sound]
        except DamagedTableError:
            sound = list(shards_found(folder, spec))
            kept = {shard.file for shard in sound}
            names = sorted(path.name for path in folder.glob(f"*{SHARD_SUFFIX}"))
            return Manifest(spec.name, spec.key), sound, [name for name in names if name not in kept]

    def restore_manifest(self, spec: TableSpec) -> bool:
        """Write the manifest again if only its copy is sound, for readers that know no copy; return whether it was.

        Raises:
            DamagedTableError: neither is sound.
        """
        if not manifest_damage(self.root / spec.name, spec.name):
            return False
        with self._writing(spec) as folder:
            return restore_manifest(folder, spec.name)

    def drop_replaced(self, spec: TableSpec) -> int:
        """Remove what is no part of the table now, not an hour later; return how many files. For what is erased.

        What no manifest names goes as well, because a killed writer left it.
        """
        if not (self.root / spec.name).is_dir():
            return 0
        with self._writing(spec) as folder:
            old = self._manifest(spec.name)
            kept = {shard.file for shard in old.shards}
            removed = [path for path in _own_files(folder) if path.name not in kept]
            for path in removed:
                path.unlink(missing_ok=True)
            if old.replaced:
                write_manifest(folder, Manifest(spec.name, spec.key, old.revision + 1, old.shards))
        return len(removed)

    def _manifest(self, table: str) -> Manifest:
        return read_manifest(self.root / table, table) or Manifest(table, ())

    def _with_shards(self, table: str, use: Callable[[Sequence[Shard]], list[_T]]) -> list[_T]:
        """Do something with the table's shards; once more if one vanished because the table was written meanwhile."""
        manifest = self._manifest(table)
        try:
            return use(manifest.shards)
        except VanishedShardError:
            again = self._manifest(table)
            if again.shards == manifest.shards:
                raise
            return use(again.shards)

    @contextmanager
    def _writing(self, spec: TableSpec) -> Iterator[Path]:
        """Hold the table's lock and give its folder, in which a manifest is from before the first shard on."""
        folder = self.root / spec.name
        with storage_errors(folder):
            make_private(folder)
            with FileLock(folder / ".lock"):
                begin_manifest(folder, Manifest(spec.name, spec.key))
                yield folder

    def _commit(self, spec: TableSpec, old: Manifest, shards: Sequence[Shard]) -> None:
        """Make shards the table, and remove what was replaced an hour ago or more."""
        folder, now = self.root / spec.name, time.time()
        kept = {shard.file for shard in shards}
        replaced = [*old.replaced, *(Replaced(shard.file, now) for shard in old.shards if shard.file not in kept)]
        readable = [each for each in replaced if now - each.at < REPLACED_SHARD_LIFETIME_S]
        write_manifest(folder, Manifest(spec.name, spec.key, old.revision + 1, shards, readable))
        named, wanted = {each.file for each in replaced}, kept | {each.file for each in readable}
        for path in _own_files(folder):
            # What no manifest names a killed writer left; it may be new.
            is_old = path.name in named or now - path.stat().st_mtime > REPLACED_SHARD_LIFETIME_S
            if path.name not in wanted and is_old:
                path.unlink(missing_ok=True)


class _PartWriter:
    """Gathers parts into shards that are neither many nor, but for a single large part, large.

    Args:
        folder: the table's.
        spec: the table.
    """

    def __init__(self, folder: Path, spec: TableSpec) -> None:
        self._folder, self._spec = folder, spec
        self._shards: list[Shard] = []
        self._waiting: list[tuple[Part, pa.Table]] = []
        self._rows_waiting = 0

    def keep(self, shard: Shard, parts: Sequence[Part]) -> None:
        """Take parts of a shard that is there; all of them, and it stays as it is."""
        if len(parts) == len(shard.parts):
            self._shards.append(shard)
        else:
            self.add(self._pieces(shard, parts))

    def add(self, pieces: Sequence[tuple[Part, pa.Table]]) -> None:
        """Take new parts."""
        for piece in pieces:
            self._waiting.append(piece)
            self._rows_waiting += piece[0].rows
            if self._rows_waiting >= SMALL_SHARD_ROWS:
                self._write()

    def finish(self) -> list[Shard]:
        """Write what is left, and return the shards by the names of their parts."""
        self._write()
        names = [part.name for shard in self._shards for part in shard.parts]
        if len(set(names)) < len(names):
            raise ValueError(f"a part of {self._spec.name} is there twice")
        small = [shard for shard in self._shards if shard.rows < SMALL_SHARD_ROWS]
        if len(small) > SHARDS_BEFORE_COMPACTION:
            self._shards = [shard for shard in self._shards if shard.rows >= SMALL_SHARD_ROWS]
            for shard in small:
                self.add(self._pieces(shard, shard.parts))
            self._write()
        return sorted(self._shards, key=lambda shard: min(part.name for part in shard.parts))

    def _pieces(self, shard: Shard, parts: Sequence[Part]) -> list[tuple[Part, pa.Table]]:
        table, by = read_shard(self._folder, self._spec, shard, list(self._spec.columns)), self._spec.parted_by
        return [(part, table.filter(pc.field(by) == part.name)) for part in parts]

    def _write(self) -> None:
        if self._waiting:
            pieces = sorted(self._waiting, key=lambda piece: piece[0].name)
            table = pa.concat_tables(rows for _, rows in pieces)
            self._shards.append(write_shard(self._folder, self._spec, table, [part for part, _ in pieces]))
            self._waiting, self._rows_waiting = [], 0


def _own_files(folder: Path) -> list[Path]:
    """Return the files of a table's folder that only we make: shards, and what a killed writer left half."""
    return [
        path
        for path in folder.iterdir()
        if (path.suffix == SHARD_SUFFIX or path.name.startswith(TEMPORARY_PREFIX)) and path.is_file()
    ]
