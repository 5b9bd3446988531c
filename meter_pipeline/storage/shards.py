"""Shards: the Parquet files of a table, written with checksums and read only if they hold what was written."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from meter_pipeline.storage.damage import Damage, VanishedShardError, damaged
from meter_pipeline.storage.files import replacing, sha256_of
from meter_pipeline.storage.hashes import difference
from meter_pipeline.storage.manifests import SHARD_SUFFIX, Part, Shard
from meter_pipeline.storage.read_errors import may_pass
from meter_pipeline.storage.table_rows import VERSION_MODULUS, digest, digests, keys
from meter_pipeline.storage.tables import TableSpec

ROWS_PER_LOOK = 10_000
"""Rows read at once where a shard is only looked at."""


def write_shard(folder: Path, spec: TableSpec, table: pa.Table, parts: Sequence[Part] = ()) -> Shard:
    """Write rows as a new shard of a table and return what the manifest says of it.

    Args:
        folder: the table's.
        spec: the table.
        table: the rows.
        parts: what they are divided into; nothing where the table has no parts.
    """
    path = folder / f"{uuid.uuid4().hex}{SHARD_SUFFIX}"
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
        size, sha256 = temporary.stat().st_size, sha256_of(temporary)
    found = sum_of_digests(parts) if parts else _hexadecimal(digest(spec, table))
    return Shard(path.name, table.num_rows, found, size, sha256, tuple(parts))


def parts_of(spec: TableSpec, table: pa.Table, made_from: Mapping[str, str]) -> list[tuple[Part, pa.Table]]:
    """Return rows part by part, by name, in their order.

    Args:
        spec: a table that has parts.
        table: its rows, each with the name of its part.
        made_from: what is noted of parts, by name; nothing of those that are not in it.
    """
    by = spec.parted_by
    assert by is not None
    if table.num_rows and not pc.all(pc.less_equal(table[by][:-1], table[by][1:])).as_py():
        table = table.take(pc.sort_indices(table, [(by, "ascending")]))  # it keeps the order of equals
    sizes = [(each["values"], each["counts"]) for each in pc.value_counts(table[by]).to_pylist()]
    found, start = [], 0
    for (name, size), number in zip(sizes, digests(spec, table, [size for _, size in sizes]), strict=True):
        part = Part(name, size, _hexadecimal(number), made_from.get(name, ""))
        found.append((part, table.slice(start, size)))
        start += size
    return found


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


def first_rows(folder: Path, spec: TableSpec, shard: Shard, columns: Sequence[str], rows: int) -> pa.Table:
    """Read a shard's first rows; a column that it does not have is null. Raises as `read_shard`."""
    path = check_shard(folder, spec.name, shard)
    schema = pa.schema([(name, spec.columns[name].type) for name in columns])
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            there = [name for name in columns if name in file.schema_arrow.names]
            table = pa.Table.from_batches(
                [batch for batch, _ in zip(file.iter_batches(rows, columns=there), range(1), strict=False)],
                pa.schema([file.schema_arrow.field(name) for name in there]),
            ).slice(0, rows)
    except FileNotFoundError as error:
        raise _vanished(spec.name, path) from error
    except (OSError, pa.ArrowException) as error:
        raise damaged(Damage(spec.name, path, _unreadable(error), may_pass=may_pass(path, error))) from error
    columns_of = {
        name: table[name] if name in there else pa.nulls(len(table), schema.field(name).type) for name in columns
    }
    return pa.table(columns_of).cast(schema)


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


def sum_of_digests(shards: Sequence[Shard] | Sequence[Part]) -> str:
    """Return the content hash of the rows of these shards, or parts, 32 hex digits."""
    return _hexadecimal(sum(int(shard.digest, 16) for shard in shards) % VERSION_MODULUS)


def _hexadecimal(number: int) -> str:
    return f"{number:032x}"


def _vanished(table: str, path: Path) -> VanishedShardError:
    return VanishedShardError(f"A file of the table {table} is missing.", table=table, where=path)


def _unreadable(error: Exception) -> str:
    said = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return f"cannot be read: {said.splitlines()[0]}"
