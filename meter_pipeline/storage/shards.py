"""Shards: the Parquet files of a table, written with checksums and read only if they hold what was written."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from meter_pipeline.storage.damage import Damage, VanishedShardError, damaged
from meter_pipeline.storage.files import replacing, sha256_of
from meter_pipeline.storage.hashes import difference
from meter_pipeline.storage.manifests import SHARD_SUFFIX, Shard
from meter_pipeline.storage.read_errors import may_pass
from meter_pipeline.storage.table_rows import VERSION_MODULUS, digest, keys
from meter_pipeline.storage.tables import TableSpec

ROWS_PER_LOOK = 10_000
"""Rows read at once where a shard is only looked at."""


def write_shard(folder: Path, spec: TableSpec, table: pa.Table) -> Shard:
    """Write rows as a new shard of a table and return what the manifest says of it."""
    path = folder / f"{uuid.uuid4().hex}{SHARD_SUFFIX}"
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
        size, sha256 = temporary.stat().st_size, sha256_of(temporary)
    return Shard(path.name, table.num_rows, _hexadecimal(digest(spec, table)), size, sha256)


def check_shard(folder: Path, table: str, shard: Shard) -> Path:
    """Return the path of a shard that holds what was written; its bytes are hashed once per process.

    Raises:
        VanishedShardError: it is not there.
        DamagedTableError: it is cut, changed, or cannot be read.
    """
    path = folder / shard.file
    try:
        problem = difference(path, size=shard.bytes, sha256=shard.sha256)
    except FileNotFoundError as error:
        raise _vanished(table, path) from error
    except OSError as error:
        raise damaged(Damage(table, path, _unreadable(error), may_pass=may_pass(path, error))) from error
    if problem:
        raise damaged(Damage(table, path, problem))
    return path


def read_shard(
    folder: Path, spec: TableSpec, shard: Shard, columns: Sequence[str], where: pc.Expression | None = None
) -> pa.Table:
    """Read a shard; a column that the table did not have when the shard was written is null in it.

    Raises:
        VanishedShardError: it is not there.
        DamagedTableError: it is cut, changed, or cannot be read.
    """
    path = check_shard(folder, spec.name, shard)
    try:
        return pq.read_table(
            path,
            columns=list(columns),
            schema=spec.schema,
            filters=where,
            partitioning=None,
            page_checksum_verification=True,
        )
    except FileNotFoundError as error:
        raise _vanished(spec.name, path) from error
    except (OSError, pa.ArrowException) as error:  # the disk, or a page that changed since its file was hashed
        if isinstance(error, pa.ArrowException) and sha256_of(path) == shard.sha256:
            raise  # not the file: what was asked of it, or the memory
        raise damaged(Damage(spec.name, path, _unreadable(error), may_pass=may_pass(path, error))) from error


def shard_damage(folder: Path, table: str, shard: Shard) -> Damage | None:
    """Return what is wrong with a shard, every byte of it read anew; None if nothing is."""
    path = folder / shard.file
    is_as_written = False
    try:
        size = path.stat().st_size
        if size != shard.bytes:
            return Damage(table, path, f"has {size} bytes instead of {shard.bytes}")
        if sha256_of(path) != shard.sha256:
            return Damage(table, path, "does not hold what was written (its SHA-256 differs)")
        is_as_written = True
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            rows = sum(batch.num_rows for batch in file.iter_batches(ROWS_PER_LOOK))
    except FileNotFoundError:
        return Damage(table, path, "is missing")
    except (OSError, pa.ArrowException, MemoryError) as error:
        # Of bytes that are those that were written, the memory or the disk is to blame, not the file.
        return Damage(table, path, _unreadable(error), may_pass=is_as_written or may_pass(path, error))
    return None if rows == shard.rows else Damage(table, path, f"has {rows} rows instead of {shard.rows}")


def shards_found(folder: Path, spec: TableSpec) -> Iterator[Shard]:
    """Yield shards that can be read, the newest first, without those whose rows newer ones replace.

    For a table whose manifest and its copy are lost. Which shard replaced which is then not known: one that shares a
    key with a newer one is taken for its predecessor.

    Raises:
        OSError: one could not be read now, and may be sound.
    """
    newest_first = sorted(folder.glob(f"*{SHARD_SUFFIX}"), key=lambda path: -path.stat().st_mtime_ns)
    seen: set[tuple[object, ...]] = set()
    for path in newest_first:
        if path.name.startswith("."):
            continue
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                if not set(spec.key) <= set(file.schema_arrow.names) <= set(spec.columns):
                    continue
            table = pq.read_table(path, schema=spec.schema, partitioning=None, page_checksum_verification=True)
        except (OSError, pa.ArrowException) as error:
            if may_pass(path, error):
                raise
            continue
        own = set(keys(spec, table))
        if not own & seen:
            seen |= own
            yield Shard(
                path.name, table.num_rows, _hexadecimal(digest(spec, table)), path.stat().st_size, sha256_of(path)
            )


def sum_of_digests(shards: Sequence[Shard]) -> str:
    """Return the content hash of a table of these shards, 32 hex digits."""
    return _hexadecimal(sum(int(shard.digest, 16) for shard in shards) % VERSION_MODULUS)


def _hexadecimal(number: int) -> str:
    return f"{number:032x}"


def _vanished(table: str, path: Path) -> VanishedShardError:
    return VanishedShardError(f"A file of the table {table} is missing.", table=table, where=path)


def _unreadable(error: Exception) -> str:
    said = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return f"cannot be read: {said.splitlines()[0]}"
