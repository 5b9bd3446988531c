"""SQL over the lake's tables as they are at this moment; needs no warehouse file, keeps nothing between two calls.

DuckDB checks no checksums: the files are looked at before it reads them, and what it says of them becomes a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from meter_pipeline.errors import MeterError
from meter_pipeline.storage.damage import DamagedTableError
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.sql import SQL_TYPES, literal_path, quoted
from meter_pipeline.storage.tables import ALL_TABLES, TableSpec

if TYPE_CHECKING:
    import pandas as pd

MEMORY_LIMIT = "256MB"
"""For all queries of a process together; a larger sort goes to the disk."""
THREADS = 2
Row = dict[str, Any]
_T = TypeVar("_T")
_SPECS = {spec.name: spec for spec in ALL_TABLES}
_OF_THE_FILES = (duckdb.IOException, duckdb.InvalidInputException, duckdb.SerializationException)
"""What DuckDB raises for files that are missing or cannot be read as Parquet, among other things."""
_OF_A_BROKEN_DATABASE = (duckdb.InternalException, duckdb.FatalException)
"""After these every query of the same database fails."""


class LakeQueries:
    """Queries on some tables of a lake, all as of one moment; see `querying`.

    Each raises a `DamagedTableError` if a file of the tables is missing, cut or changed, and a `MeterError` if the
    query fails for another reason.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, lake: Lake, tables: Sequence[str]) -> None:
        self._connection, self._lake, self._tables = connection, lake, tables
        self._opened = False
        self._answer(lambda: None)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return the rows a query gives, each as a dict."""

        def ask() -> list[Row]:
            found = self._connection.execute(sql, list(parameters))
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

        return self._answer(ask)

    def value(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """Return the first column of the first row; None if there is no row."""
        row = self._answer(lambda: self._connection.execute(sql, list(parameters)).fetchone())
        return None if row is None else row[0]

    def frame(self, sql: str, parameters: Sequence[object] = ()) -> pd.DataFrame:
        """Return what a query gives as a pandas frame."""
        return self._answer(lambda: self._connection.execute(sql, list(parameters)).df())

    def _answer(self, ask: Callable[[], _T]) -> _T:
        """Ask; once more, with the tables as they are then, if a file vanished or cannot be read."""
        try:
            if not self._opened:
                self._open_tables()
            return ask()
        except _OF_THE_FILES:
            pass
        except duckdb.Error as error:
            raise self._failed(error) from error
        try:
            self._open_tables()
            return ask()
        except _OF_THE_FILES as error:
            raise DamagedTableError(
                f"The files of {', '.join(self._tables)} cannot be read: {_first_line(error)}",
                table=self._tables[0],
                where=self._lake.root,
            ) from error
        except duckdb.Error as error:
            raise self._failed(error) from error

    def _open_tables(self) -> None:
        for table in self._tables:
            _make_view(self._connection, self._lake, table)
        self._opened = True

    def _failed(self, error: duckdb.Error) -> MeterError:
        if isinstance(error, _OF_A_BROKEN_DATABASE):
            _database.cache_clear()
        tables = ", ".join(self._tables)
        if isinstance(error, duckdb.OutOfMemoryException):
            return MeterError(
                f"A query of {tables} needs more memory or disk than there is: {_first_line(error)}",
                where=self._lake.root,
                fix="Ask for less at once, or free some space.",
            )
        return MeterError(f"A query of {tables} failed: {_first_line(error)}", where=self._lake.root, fix="Try again.")


@contextmanager
def querying(lake: Lake, *tables: str) -> Iterator[LakeQueries]:
    """Open tables for queries, under their names. Safe to use from several threads at once.

    Args:
        lake: the tables.
        tables: their names, of `tables.ALL_TABLES`; one that was never written is empty.

    Raises:
        DamagedTableError: a file of the tables is missing, cut or changed.
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


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
