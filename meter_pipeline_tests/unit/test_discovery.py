from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from meter_pipeline.core.discovery import cluster_problems, cluster_unknowns
from meter_pipeline.core.lake import Lake, vector_column
from meter_pipeline.core.layout import Layout
from meter_pipeline.core.tables import (
    CLUSTER_EVENTS,
    CLUSTER_SUMMARY,
    UNKNOWN_CLUSTERS,
    UNKNOWN_EMBEDDINGS,
    TableSpec,
)
from meter_pipeline.errors import MeterError
from meter_pipeline_tests.unit.unknown_photos import put_unknown

TABLES = (UNKNOWN_CLUSTERS, CLUSTER_SUMMARY, CLUSTER_EVENTS)


def run(layout: Layout) -> bool:
    return cluster_unknowns(layout, min_cluster_size=None, seed=0).changed


def clusters_of(layout: Layout, image_ids: list[str]) -> set[int]:
    clusters = layout.lake.frame(UNKNOWN_CLUSTERS).set_index("image_id")["cluster_id"]
    return set(clusters.loc[image_ids].tolist())


def test_designs_come_apart_and_are_summed_up(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    ids = put_unknown(layout, {"alpha": 12, "beta": 9, "gamma": 7})
    found = cluster_unknowns(layout, min_cluster_size=None, seed=0)
    assert found.clusters == 3
    summary = layout.lake.frame(CLUSTER_SUMMARY).set_index("cluster_id")
    assert summary.loc[[0, 1, 2], "top1_class"].tolist() == ["alpha1", "beta1", "gamma1"]
    assert summary.loc[0, "count"] + summary.loc[1, "count"] + summary.loc[2, "count"] == found.photos - found.noise
    assert summary.loc[1, "representative"] in ids["beta"]
    events = layout.lake.frame(CLUSTER_EVENTS)
    assert events["event"].tolist() == ["new"] * 3
    unknown = layout.lake.frame(UNKNOWN_EMBEDDINGS, ["image_id"])
    assert cluster_problems(unknown, layout.lake.frame(UNKNOWN_CLUSTERS)) == []


def test_nothing_new_is_no_work_and_a_lost_cache_no_change(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    put_unknown(layout, {"alpha": 12, "beta": 9})
    assert run(layout)
    versions = [layout.lake.version(spec) for spec in TABLES]
    assert not run(layout)
    (layout.cache / "clustering.json").unlink()
    assert run(layout)
    assert [layout.lake.version(spec) for spec in TABLES] == versions


def test_ids_stay_as_photos_come_and_go(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    put_unknown(layout, {"alpha": 12, "beta": 9})
    run(layout)
    ids = put_unknown(layout, {"gamma": 25, "beta": 20, "alpha": 10}, model_version="m2")
    run(layout)
    kept = {name: clusters_of(layout, image_ids) for name, image_ids in ids.items()}
    assert 0 in kept["alpha"]
    assert 1 in kept["beta"]
    assert kept["gamma"] & {2}
    put_unknown(layout, {})
    run(layout)
    assert layout.lake.count(UNKNOWN_CLUSTERS) == layout.lake.count(CLUSTER_SUMMARY) == 0
    ids = put_unknown(layout, {"delta": 20, "epsilon": 10})
    run(layout)
    largest_before = layout.lake.frame(CLUSTER_EVENTS).query("revision < 4")["cluster_id"].max()
    assert min(clusters_of(layout, ids["delta"]) - {-1}) > largest_before


@pytest.mark.parametrize("killed_at", [spec.name for spec in TABLES])
@pytest.mark.parametrize("then", [{"alpha": 14, "gamma": 9}, {}])
def test_ended_between_two_tables_it_comes_to_the_same_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: str, then: dict[str, int]
) -> None:
    layouts = Layout(tmp_path / "killed"), Layout(tmp_path / "undisturbed")
    for layout in layouts:
        put_unknown(layout, {"alpha": 12, "beta": 9})
        run(layout)
        put_unknown(layout, then)
    replace = Lake.replace

    def ended(lake: Lake, spec: TableSpec, rows: pd.DataFrame) -> str:
        if spec.name == killed_at:
            raise KeyboardInterrupt
        return replace(lake, spec, rows)

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "replace", ended)
        with pytest.raises(KeyboardInterrupt):
            run(layouts[0])
    for layout in layouts:
        run(layout)
    for spec in TABLES:
        assert layouts[0].lake.frame(spec).equals(layouts[1].lake.frame(spec))


def test_embeddings_of_two_models_are_not_compared(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    matrix = vector_column(np.ones((2, 4)))
    columns = [pa.array(["a", "b"]), pa.array(["m1", "m2"]), matrix, matrix]
    layout.lake.replace(UNKNOWN_EMBEDDINGS, pa.table(columns, schema=UNKNOWN_EMBEDDINGS.schema))
    with pytest.raises(MeterError, match=r"from 2 models \(m1, m2\)"):
        run(layout)


def test_problems_are_named() -> None:
    unknown = pd.DataFrame({"image_id": ["a", "b", "c"]})
    clusters = pd.DataFrame({"image_id": ["a", "b", "b", "x"], "cluster_id": [0, 0, 1, -1]})
    assert cluster_problems(unknown, clusters) == [
        "1 UNKNOWN photos are in no cluster and not noise, c among them",
        "1 photos in the clusters are not UNKNOWN, x among them",
        "1 photos are in more than one cluster, b among them",
    ]
