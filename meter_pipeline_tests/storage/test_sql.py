"""Texts, paths and types as SQL: DuckDB reads them as what they were."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.storage.sql import SQL_TYPES, literal_path, quoted
from meter_pipeline.storage.tables import ALL_TABLES


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30))
def test_a_quoted_text_is_that_text_and_runs_nothing(text: str) -> None:
    assert duckdb.sql(f"SELECT {quoted(text)}").fetchall() == [(text,)]


@pytest.mark.parametrize("folder", ["plain", "it's", "my [2] photos", "a]b[c", "50% = half; --"])
def test_a_file_is_found_under_its_own_name_only(tmp_path: Path, folder: str) -> None:
    for name, number in ((folder, 1), ("my 2 photos", 2)):
        (tmp_path / name).mkdir()
        pq.write_table(pa.table({"number": [number]}), tmp_path / name / "rows.parquet")
    path = quoted(literal_path(tmp_path / folder / "rows.parquet"))
    assert duckdb.sql(f"SELECT number FROM read_parquet({path})").fetchall() == [(1,)]


@pytest.mark.parametrize("sign", ["*", "?"])
def test_the_signs_of_a_pattern_stand_for_themselves(tmp_path: Path, sign: str) -> None:
    for name in (f"a{sign}b.parquet", "axb.parquet"):
        pq.write_table(pa.table({"name": [name]}), tmp_path / name)
    path = quoted(literal_path(tmp_path / f"a{sign}b.parquet"))
    assert duckdb.sql(f"SELECT name FROM read_parquet({path})").fetchall() == [(f"a{sign}b.parquet",)]


def test_every_column_of_every_table_has_a_type_that_takes_its_values() -> None:
    for spec in ALL_TABLES:
        columns = ", ".join(f"CAST(NULL AS {SQL_TYPES[field.type]}) AS {quoted(field.name)}" for field in spec.schema)
        assert duckdb.sql(f"SELECT {columns}").columns == list(spec.columns)
