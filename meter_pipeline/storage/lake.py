"""The lake: Parquet tables of immutable shards, each with one manifest that is replaced atomically.

A reader sees the table before or after a write, never half of one. A table's version is the sum of its rows' hashes: it
depends on what the rows hold, not on their order or on how they are split into shards.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock

from meter_pipeline.errors import MeterError, storage_errors
from meter_pipeline.storage.files import TEMPORARY_PREFIX, read_json, replacing, write_json
from meter_pipeline.storage.tables import TableSpec

if TYPE_CHECKING:
    import pandas as pd

MANIFEST = "manifest.json"
UNREFERENCED_SHARD_LIFETIME_S = 3600.0
"""Seconds that a replaced shard stays, for readers that still use the old manifest."""
SHARDS_BEFORE_COMPACTION = 64
"""Number of small shards from which on they are merged into one."""
SMALL_SHARD_ROWS = 4096
"""A shard with this many rows is not merged again, so that appending to a large table stays cheap."""
_VERSION_MODULUS = 2**128
_HASH_KEYS = ("meter-pipeline-a", "meter-pipeline-b")


@dataclass(frozen=True)
class Shard:
    """One Parquet file of a table."""

    file: str
    rows: int
    digest: int


class Lake:
    """The tables of one data directory.

    Args:
        root: folder with one folder per table; made on the first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def exists(self, spec: TableSpec) -> bool:
        """Return whether the table was ever written."""
        return self.manifest(spec.name).exists()

    def read(
        self, spec: TableSpec, columns: Iterable[str] | None = None, *, where: pc.Expression | None = None
    ) -> pa.Table:
        """Read a table; a table that was never written is empty.

        Args:
            spec: the table.
            columns: the columns wanted; None: all.
            where: the rows wanted, e.g. `pc.field("model_version") == "0001-ab12cd34"`; None: all.
        """
        names = list(spec.columns) if columns is None else list(columns)
        schema = pa.schema([(name, spec.columns[name].type) for name in names])
        parts = [self._read_shard(spec, shard, names, where).cast(schema) for shard in self._shards(spec)]
        return pa.concat_tables([schema.empty_table(), *parts])

    def frame(
        self, spec: TableSpec, columns: Iterable[str] | None = None, *, where: pc.Expression | None = None
    ) -> pd.DataFrame:
        """Read a table as a pandas frame."""
        return self.read(spec, columns, where=where).to_pandas()

    def count(self, spec: TableSpec) -> int:
        """Return the number of rows, from the manifest alone."""
        return sum(shard.rows for shard in self._shards(spec))

    def version(self, spec: TableSpec) -> str:
        """Return the content hash of the table, 32 hex digits; the same rows give the same hash."""
        return f"{sum(shard.digest for shard in self._shards(spec)) % _VERSION_MODULUS:032x}"

    def replace(self, spec: TableSpec, rows: pa.Table | pd.DataFrame) -> str:
        """Replace the whole table and return its version.

        Raises:
            MeterError: two rows share a key.
            StorageError: the disk is full or not ours to write.
        """
        table = conform(spec, rows)
        with self._writing(spec):
            self._commit(spec, [self._write_shard(spec, table)] if table.num_rows else [])
        return self.version(spec)

    def append(self, spec: TableSpec, rows: pa.Table | pd.DataFrame) -> str:
        """Add rows whose keys are new, as one shard, and return the table's version.

        It is not checked that the keys are new; if they may not be, use `upsert`.
        """
        table = conform(spec, rows)
        if table.num_rows:
            with self._writing(spec):
                shards = [*self._shards(spec), self._write_shard(spec, table)]
                small = [shard for shard in shards if shard.rows < SMALL_SHARD_ROWS]
                if len(small) > SHARDS_BEFORE_COMPACTION:
                    large = [shard for shard in shards if shard.rows >= SMALL_SHARD_ROWS]
                    together = pa.concat_tables(self._read_shard(spec, shard) for shard in small)
                    shards = [*large, self._write_shard(spec, together)]
                self._commit(spec, shards)
        return self.version(spec)

    def upsert(self, spec: TableSpec, rows: pa.Table | pd.DataFrame) -> str:
        """Add rows, replacing those with the same key, and return the table's version."""
        new = conform(spec, rows)
        if new.num_rows:
            with self._writing(spec):
                old = self.read(spec)
                new_keys = set(_keys(spec, new))
                kept = old.filter(pa.array([key not in new_keys for key in _keys(spec, old)], pa.bool_()))
                self._commit(spec, [self._write_shard(spec, pa.concat_tables([kept, new]))])
        return self.version(spec)

    def manifest(self, table: str) -> Path:
        """Return the path of the table's manifest; each write replaces it, and before the first it does not exist."""
        return self.root / table / MANIFEST

    def shard_files(self, table: str) -> list[Path]:
        """Return the Parquet files that the table consists of now."""
        path = self.manifest(table)
        return [path.with_name(shard["file"]) for shard in read_json(path)["shards"]] if path.exists() else []

    def _shards(self, spec: TableSpec) -> list[Shard]:
        path = self.manifest(spec.name)
        if not path.exists():
            return []
        return [Shard(s["file"], s["rows"], int(s["digest"], 16)) for s in read_json(path)["shards"]]

    def _read_shard(
        self, spec: TableSpec, shard: Shard, columns: list[str] | None = None, where: pc.Expression | None = None
    ) -> pa.Table:
        """Read a shard; a column that the table did not have when the shard was written is null in it."""
        path = self.root / spec.name / shard.file
        names = columns or list(spec.columns)
        return pq.read_table(path, columns=names, schema=spec.schema, filters=where, partitioning=None)

    @contextmanager
    def _writing(self, spec: TableSpec) -> Iterator[None]:
        folder = self.root / spec.name
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".lock"):
                yield

    def _write_shard(self, spec: TableSpec, table: pa.Table) -> Shard:
        name = f"{uuid.uuid4().hex}.parquet"
        with replacing(self.root / spec.name / name) as temporary:
            pq.write_table(table, temporary, compression="zstd")
        return Shard(name, table.num_rows, _digest(spec, table))

    def _commit(self, spec: TableSpec, shards: list[Shard]) -> None:
        folder = self.root / spec.name
        content = [{"file": s.file, "rows": s.rows, "digest": f"{s.digest:032x}"} for s in shards]
        write_json(folder / MANIFEST, {"table": spec.name, "key": list(spec.key), "shards": content})
        kept = {shard.file for shard in shards}
        oldest = time.time() - UNREFERENCED_SHARD_LIFETIME_S
        for path in folder.iterdir():
            is_shard = path.suffix == ".parquet" or path.name.startswith(TEMPORARY_PREFIX)
            if is_shard and path.name not in kept and path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)


def conform(spec: TableSpec, rows: pa.Table | pd.DataFrame) -> pa.Table:
    """Return `rows` with exactly the columns and types of `spec`.

    Raises:
        MeterError: a column is missing or extra, a value does not fit its type, or two rows share a key.
    """
    names = list(rows.column_names) if isinstance(rows, pa.Table) else list(rows.columns)
    if set(names) != set(spec.columns):
        missing, extra = sorted(set(spec.columns) - set(names)), sorted(set(names) - set(spec.columns))
        raise MeterError(f"Rows do not fit the table: missing {missing}, extra {extra}.", where=spec.name)
    try:
        if isinstance(rows, pa.Table):
            table = rows.select(list(spec.columns)).cast(spec.schema)
        else:
            table = pa.Table.from_pandas(rows[list(spec.columns)], schema=spec.schema, preserve_index=False)
    except pa.ArrowException as error:
        raise MeterError(f"Rows do not fit the table: {error}", where=spec.name) from error
    table = table.replace_schema_metadata(None)
    key = list(spec.key)
    # Not as Python tuples: of a million rows they are hundreds of megabytes.
    if table.select(key).group_by(key).aggregate([]).num_rows != table.num_rows:
        raise MeterError(f"Two rows share the key {spec.key}.", where=spec.name)
    return table


def vectors(table: pa.Table, column: str) -> np.ndarray:
    """Return a column of vectors as a matrix, rows x dimensions, float32; 0 x 0 if there are no rows.

    Raises:
        ValueError: a row has no vector; what the others hold would then stand in the wrong rows.
    """
    values = table[column].combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], table.schema.field(column).type)
    if values.null_count:
        raise ValueError(f"{values.null_count} of {len(values)} rows have no {column}")
    if len(values) == 0:
        return np.zeros((0, 0), np.float32)
    return values.flatten().to_numpy(zero_copy_only=False).reshape(len(values), -1)


def vector_column(matrix: np.ndarray) -> pa.Array:
    """Return a matrix (rows x dimensions) as a column of float32 vectors."""
    rows, dimensions = matrix.shape
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * dimensions)
    return pa.ListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(matrix, np.float32).ravel()))


def _keys(spec: TableSpec, table: pa.Table) -> list[tuple[Any, ...]]:
    return list(zip(*(table[name].to_pylist() for name in spec.key), strict=True))


def _digest(spec: TableSpec, table: pa.Table) -> int:
    """Return the sum of the rows' 128-bit hashes: the same for the same rows in any order and number of shards."""
    from pandas.util import hash_pandas_object

    frame = table.select(spec.hashed).to_pandas()
    header = hashlib.sha256("|".join(spec.hashed).encode()).digest()
    total = 0
    for part, key in enumerate(_HASH_KEYS):
        hashes = hash_pandas_object(frame, index=False, hash_key=key).to_numpy(np.uint64)
        low, high = int((hashes & np.uint64(0xFFFFFFFF)).sum()), int((hashes >> np.uint64(32)).sum())
        total += ((high << 32) + low) << (64 * part)
    return (total + table.num_rows * int.from_bytes(header[:16], "big")) % _VERSION_MODULUS
