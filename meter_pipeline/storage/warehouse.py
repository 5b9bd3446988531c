"""`data/warehouse.duckdb`: a view over every table of the lake, always current, opened read-only by everyone.

A view reads from the table's manifest, each time, which shards count: new ones show without a write here, replaced ones
never. One file without rows per table, beside its shards, gives the view its columns before there is a first row.
DuckDB checks no checksums: `query` has a look at the shards first; for other programs `meter verify` does.
"""

from __future__ import annotations

import hashlib
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from meter_pipeline.errors import MeterError, StorageError
from meter_pipeline.labels import NOISE, FinalLabel
from meter_pipeline.storage.files import replacing
from meter_pipeline.storage.layout import CLUSTER_FOLDER, CLUSTERS_ROOT, NOISE_FOLDER, Layout
from meter_pipeline.storage.manifests import MANIFEST
from meter_pipeline.storage.sql import SQL_TYPES, literal_path, quoted
from meter_pipeline.storage.tables import ALL_TABLES, TableSpec

if TYPE_CHECKING:
    import pandas as pd

_logger = logging.getLogger(__name__)

EMPTY_SHARD = "no_rows.pq"
"""Matches the pattern of a view as the shards do, but not `*.parquet`: the lake deletes unknown files of that name."""
SHARD_PATTERN = "*.p*q*"
DEFINITION_VIEW = "warehouse_definition"

_VIEWS_FOR_PEOPLE: dict[str, tuple[str, str]] = {
    "predictions_summary": (
        "Rows and share by drop and final prediction.",
        """SELECT "drop", final_prediction, count(*) AS rows,
                  round(100.0 * count(*) / sum(count(*)) OVER (PARTITION BY "drop"), 2) AS percent,
                  round(100.0 * avg(top1_confidence), 2) AS mean_top1_confidence_percent
           FROM batch_predictions GROUP BY "drop", final_prediction ORDER BY "drop", rows DESC, final_prediction""",
    ),
    "confident_but_unknown": (
        "Rows that the guard sent to UNKNOWN though top-1 softmax was 90 % or more: new designs, or a wrong guard.",
        f"""SELECT "drop", position, image_url, image_id, top1_class, top1_confidence, guard_score, nearest_known,
                  reason
           FROM batch_predictions WHERE final_prediction = '{FinalLabel.UNKNOWN}' AND top1_confidence >= 0.9
           ORDER BY top1_confidence DESC, "drop", position""",
    ),
    "clusters": (
        "The clusters with their folders, the largest first; noise last.",
        f"""SELECT cluster_id, count,
                  CASE WHEN cluster_id = {NOISE} THEN '{CLUSTERS_ROOT}/{NOISE_FOLDER}'
                       ELSE '{CLUSTERS_ROOT}/' || format('{CLUSTER_FOLDER}', cluster_id)
                  END AS folder,
                  mean_membership, top1_class, top1_share, mean_top1_confidence, representative,
                  m.image_url AS representative_url
           FROM cluster_summary
           LEFT JOIN (SELECT image_id AS representative, image_url FROM unknown_metadata) AS m USING (representative)
           ORDER BY cluster_id = {NOISE}, count DESC, cluster_id""",
    ),
    "clustered_photos": (
        "The UNKNOWN photos with their cluster and what the model thought.",
        f"""SELECT cluster_id, membership, m.* FROM unknown_clusters JOIN unknown_metadata AS m USING (image_id)
           ORDER BY cluster_id = {NOISE}, cluster_id, membership DESC, image_id""",
    ),
}


def build_warehouse(layout: Layout) -> dict[str, int]:
    """Write the warehouse unless its views are up to date, and return the number of rows behind each view.

    Raises:
        StorageError: the disk is full or not ours to write.
        DamagedTableError: a file of a table is missing, cut or changed.
        MeterError: another program holds the file open (Windows).
    """
    for spec in ALL_TABLES:
        _write_empty_shard(layout.lake.root / spec.name / EMPTY_SHARD, spec)
        layout.lake.restore_manifest(spec)
    statements = _statements(layout.lake.root)
    definition = hashlib.sha256("\n".join(statements).encode()).hexdigest()
    if _definition_of(layout.warehouse) != definition:
        _write(layout.warehouse, [*statements, f"CREATE VIEW {DEFINITION_VIEW} AS SELECT '{definition}' AS sha256"])
        _logger.info("Wrote %s with %d views", layout.warehouse.name, len(ALL_TABLES) + len(_VIEWS_FOR_PEOPLE))
    counts = {spec.name: layout.lake.count(spec) for spec in ALL_TABLES}
    names = ", ".join(f'(SELECT count(*) FROM {name}) AS "{name}"' for name in _VIEWS_FOR_PEOPLE)
    return {**counts, **{str(name): int(rows) for name, rows in query(layout, f"SELECT {names}").iloc[0].items()}}


def query(layout: Layout, sql: str) -> pd.DataFrame:
    """Run a query on a read-only connection to the warehouse, after a look at the files of the tables it names.

    Raises:
        DamagedTableError: one of them is missing, cut or changed.
        MeterError: there is no warehouse yet, or the query is not valid.
    """
    if not layout.warehouse.exists():
        raise MeterError(
            "There is no warehouse yet.", where=layout.warehouse, fix="Materialize `warehouse`, or run `meter update`."
        )
    try:
        for spec in _tables_behind(sql):
            layout.lake.restore_manifest(spec)
            layout.lake.shard_files(spec.name)
        with duckdb.connect(layout.warehouse, read_only=True) as connection:
            return connection.sql(sql).df()
    except duckdb.Error as error:
        raise MeterError(
            f"The query failed: {error}", where=layout.warehouse, fix="`SHOW TABLES` lists the views."
        ) from error


def _tables_behind(sql: str) -> list[TableSpec]:
    """Return the lake's tables that a query names, or that one of our views does which it names."""
    words = _words(sql)
    for name in words & set(_VIEWS_FOR_PEOPLE):
        words |= _words(_VIEWS_FOR_PEOPLE[name][1])
    return [spec for spec in ALL_TABLES if spec.name in words]


def _words(sql: str) -> set[str]:
    return set(re.findall(r"\w+", sql.lower()))


def _write_empty_shard(path: Path, spec: TableSpec) -> None:
    try:
        if pq.read_schema(path).equals(spec.schema) and pq.read_metadata(path).num_rows == 0:
            return
    except (OSError, pa.ArrowException):  # not there yet, or damaged
        pass
    with replacing(path) as temporary:
        pq.write_table(spec.schema.empty_table(), temporary)


def _statements(lake: Path) -> list[str]:
    statements = []
    for spec in ALL_TABLES:
        description = f"{spec.description} Key: {', '.join(spec.key)}."
        statements += _view(spec.name, description, _shards_of_manifest(lake / spec.name, spec))
        statements += [
            f'COMMENT ON COLUMN "{spec.name}"."{name}" IS {quoted(column.description)}'
            for name, column in spec.columns.items()
        ]
    for name, (description, select) in _VIEWS_FOR_PEOPLE.items():
        statements += _view(name, description, " ".join(select.split()))
    return statements


def _shards_of_manifest(folder: Path, spec: TableSpec) -> str:
    columns = ", ".join(
        f'CAST("{name}" AS {SQL_TYPES[column.type]}) AS "{name}"' for name, column in spec.columns.items()
    )
    return (
        f"SELECT {columns} FROM read_parquet({_pattern(folder, SHARD_PATTERN)}, filename = 'shard_path', "
        "union_by_name = true, hive_partitioning = false) WHERE parse_filename(shard_path) IN ("
        """SELECT unnest(from_json(content, '{"shards": [{"file": "VARCHAR"}]}').shards).file """
        f"FROM read_text({_pattern(folder, MANIFEST + '*')}))"
    )


def _view(name: str, description: str, select: str) -> list[str]:
    return [f'CREATE VIEW "{name}" AS {select}', f'COMMENT ON VIEW "{name}" IS {quoted(description)}']


def _pattern(folder: Path, pattern: str) -> str:
    """Return a pattern of files in one folder whose own name may hold quotes, brackets and stars."""
    return quoted(f"{literal_path(folder)}/{pattern}")


def _definition_of(path: Path) -> str | None:
    if not path.exists():
        return None
    try:
        with duckdb.connect(path, read_only=True) as connection:
            row = connection.execute(f"SELECT sha256 FROM {DEFINITION_VIEW}").fetchone()
    except duckdb.Error:  # not a database, or one without our view: it is written again
        return None
    return None if row is None else str(row[0])


def _write(path: Path, statements: list[str]) -> None:
    try:
        with replacing(path) as temporary, duckdb.connect(temporary) as connection:
            for statement in statements:
                connection.execute(statement)
    except StorageError as error:
        if isinstance(error.__cause__, PermissionError) and path.exists():
            raise MeterError(
                "The warehouse could not be replaced.",
                where=path,
                fix="Close the programs that have it open (the dashboard, DuckDB), then run again.",
            ) from error
        raise
    except duckdb.IOException as error:
        raise StorageError(
            f"The warehouse could not be written: {error}", where=path, fix="Free some space."
        ) from error
