"""Rows on their way into and out of a table: fitted to its columns, hashed, and vectors as matrices."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from meter_pipeline.errors import MeterError
from meter_pipeline.storage.tables import TableSpec

if TYPE_CHECKING:
    import pandas as pd

VERSION_MODULUS = 2**128
_HASH_KEYS = ("meter-pipeline-a", "meter-pipeline-b")


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


def keys(spec: TableSpec, table: pa.Table) -> list[tuple[Any, ...]]:
    """Return the key of each row."""
    return list(zip(*(table[name].to_pylist() for name in spec.key), strict=True))


def digest(spec: TableSpec, table: pa.Table) -> int:
    """Return the sum of the rows' 128-bit hashes: the same for the same rows in any order and number of shards."""
    return digests(spec, table, [table.num_rows])[0]


def digests(spec: TableSpec, table: pa.Table, sizes: Sequence[int]) -> list[int]:
    """Return the `digest` of each of the pieces that a table consists of, by their numbers of rows."""
    from pandas.util import hash_pandas_object

    frame = table.select(spec.hashed).to_pandas()
    header = int.from_bytes(hashlib.sha256("|".join(spec.hashed).encode()).digest()[:16], "big")
    ends = np.cumsum(sizes)
    totals = [size * header for size in sizes]
    for part, key in enumerate(_HASH_KEYS):
        hashes = hash_pandas_object(frame, index=False, hash_key=key).to_numpy(np.uint64)
        halves = [np.cumsum(half) for half in (hashes & np.uint64(0xFFFFFFFF), hashes >> np.uint64(32))]
        for number, (end, size) in enumerate(zip(ends.tolist(), sizes, strict=True)):
            if size:
                low, high = (int(half[end - 1]) - (int(half[end - size - 1]) if end > size else 0) for half in halves)
                totals[number] += ((high << 32) + low) << (64 * part)
    return [total % VERSION_MODULUS for total in totals]
