"""SQL over the lake: what is there now, columns that older shards lack, tables never written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from meter_pipeline.errors import MeterError
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.manifests import MANIFEST
from meter_pipeline.storage.queries import fingerprint, querying, written_at
from meter_pipeline.storage.tables import CLUSTER_SUMMARY, STRING, UNKNOWN_CLUSTERS, Column


def clusters(**members: int) -> pd.DataFrame:
    rows = [(image_id, cluster, 0.9, 1) for image_id, cluster in members.items()]
    return pd.DataFrame(rows, columns=["image_id", "cluster_id", "membership", "revision"])


def written(lake: Lake, rows: pd.DataFrame) -> None:
    lake.replace(UNKNOWN_CLUSTERS, rows.reindex(columns=list(UNKNOWN_CLUSTERS.columns)))


@pytest.mark.parametrize("name", ["lake", "la'ke [1] *?"])
def test_a_query_sees_the_shards_of_the_manifest_and_no_others(tmp_path: Path, name: str) -> None:
    lake = Lake(tmp_path / name)
    written(lake, clusters(a=1, b=2))
    written(lake, clusters(c=3))  # the first shard is still on the disk
    with querying(lake, "unknown_clusters") as queries:
        assert queries.rows("SELECT image_id, cluster_id FROM unknown_clusters") == [{"image_id": "c", "cluster_id": 3}]
        assert queries.value("SELECT count(*) FROM unknown_clusters WHERE cluster_id = ?", [3]) == 1


def test_a_table_never_written_is_empty_and_has_its_columns(tmp_path: Path) -> None:
    with querying(Lake(tmp_path), "cluster_summary") as queries:
        assert queries.value("SELECT count(*) FROM cluster_summary") == 0
        assert list(queries.frame("SELECT * FROM cluster_summary")) == list(CLUSTER_SUMMARY.columns)


def test_a_column_that_the_shards_lack_is_null_and_one_that_the_schema_lacks_is_there(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    columns = {name: column for name, column in UNKNOWN_CLUSTERS.columns.items() if name != "membership"}
    other = replace(UNKNOWN_CLUSTERS, columns={**columns, "later": Column(STRING, "Of another version.")})
    lake.replace(other, clusters(a=1).drop(columns="membership").assign(later="x").reindex(columns=list(other.columns)))
    with querying(lake, "unknown_clusters") as queries:
        assert queries.rows("SELECT membership, later FROM unknown_clusters") == [{"membership": None, "later": "x"}]


def test_a_query_that_fails_is_a_sentence_and_hinders_no_other(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    written(lake, clusters(a=1))
    with querying(lake, "unknown_clusters") as queries:
        with pytest.raises(MeterError, match="query of unknown_clusters failed"):
            queries.rows("SELECT no_such_column FROM unknown_clusters")
        with pytest.raises(MeterError, match="failed"):
            queries.value("SELECT CAST(image_id AS INTEGER) FROM unknown_clusters")
        assert queries.value("SELECT cluster_id FROM unknown_clusters") == 1


def test_two_queries_at_once_each_see_their_own_moment(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    written(lake, clusters(a=1))
    with querying(lake, "unknown_clusters") as before:
        written(lake, clusters(a=1, b=1))
        with querying(lake, "unknown_clusters") as after:
            assert before.value("SELECT count(*) FROM unknown_clusters") == 1
            assert after.value("SELECT count(*) FROM unknown_clusters") == 2


def test_the_fingerprint_changes_with_a_write(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert written_at(lake, "unknown_clusters") is None
    written(lake, clusters(a=1))
    before, moment = fingerprint(lake, "unknown_clusters", "drops"), written_at(lake, "unknown_clusters")
    assert moment is not None
    assert before == fingerprint(lake, "unknown_clusters", "drops")
    written(lake, clusters(a=2))
    assert fingerprint(lake, "unknown_clusters", "drops") != before
    assert (tmp_path / "unknown_clusters" / MANIFEST).exists()
