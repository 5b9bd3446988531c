"""The tables' types, paths and texts as DuckDB's SQL writes them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from meter_pipeline.storage.tables import BOOL, FLOAT, INT, STRING, VECTOR

SQL_TYPES: dict[pa.DataType, str] = {
    STRING: "VARCHAR",
    INT: "BIGINT",
    FLOAT: "DOUBLE",
    BOOL: "BOOLEAN",
    VECTOR: "FLOAT[]",
}


def literal_path(path: Path) -> str:
    """Return a path that DuckDB takes literally, even if it contains characters of a pattern."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in path.as_posix())


def quoted(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
