"""SQL over the lake's tables as they are at this moment; needs no warehouse file, keeps nothing between two calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import duckdb

from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.sql import SQL_TYPES, literal_path, quoted
from meter_pipeline.storage.tables import ALL_TABLES, TableSpec

if TYPE_CHECKING:
    import pandas as pd

MEMORY_LIMIT = "256MB"
"""For all queries of a process together; a larger sort goes to the disk."""
THREADS = 2
Row = dict[str, Any]
_SPECS = {spec.name: spec for spec in ALL_TABLES}


class LakeQueries:
    """Queries on some tables of a lake, all as of one moment; see `querying`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, lake: Lake, tables: Sequence[str]) -> None:
        self._connection = connection
        for table in tables:
            _make_view(connection, lake, table)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return the rows a query gives, each as a dict."""
        found = self._connection.execute(sql, list(parameters))
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def value(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """Return the first column of the first row; None if there is no row."""
        row = self._connection.execute(sql, list(parameters)).fetchone()
        return None if row is None else row[0]

    def frame(self, sql: str, parameters: Sequence[object] = ()) -> pd.DataFrame:
        """Return what a query gives as a pandas frame."""
        return self._connection.execute(sql, list(parameters)).df()


@contextmanager
def querying(lake: Lake, *tables: str) -> Iterator[LakeQueries]:
    """Open tables for queries, under their names. Safe to use from several threads at once.

    Args:
        lake: the tables.
        tables: their names, of `tables.ALL_TABLES`; one that was never written is empty.
    """
    with _database().cursor() as connection:
        yield LakeQueries(connection, lake, tables)


def fingerprint(lake: Lake, *tables: str) -> tuple[int, ...]:
    """Return numbers that change when one of the tables is written; for caches."""
    manifests = (lake.manifest(table) for table in tables)
    return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in manifests)


def written_at(lake: Lake, *tables: str) -> datetime | None:
    """Return when the newest of the tables was last written, UTC; None if no table was ever written."""
    newest = max(fingerprint(lake, *tables), default=0)
    return datetime.fromtimestamp(newest / 1e9, UTC) if newest else None


@cache
def _database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"memory_limit": MEMORY_LIMIT, "threads": THREADS})


def _make_view(connection: duckdb.DuckDBPyConnection, lake: Lake, table: str) -> None:
    """Make a temporary view of a table; each cursor has its own. A column that no shard has yet is null in it."""
    spec, files = _SPECS[table], lake.shard_files(table)
    if files:
        paths = ", ".join(quoted(literal_path(path)) for path in files)
        source = f"read_parquet([{paths}], union_by_name = true, hive_partitioning = false)"
        there = {row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
        missing = [_null(spec, name) for name in spec.columns if name not in there]
        select = f"SELECT {', '.join(['*', *missing])} FROM {source}"
    else:
        select = f"SELECT {', '.join(_null(spec, name) for name in spec.columns)} WHERE false"
    connection.execute(f'CREATE OR REPLACE TEMP VIEW "{table}" AS {select}')


def _null(spec: TableSpec, name: str) -> str:
    return f'CAST(NULL AS {SQL_TYPES[spec.columns[name].type]}) AS "{name}"'
