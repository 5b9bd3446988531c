"""UNKNOWN photos into clusters: ids stay, a run may end anywhere, and what is new or wrong is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from torch import nn

from meter_pipeline.discovery.unknown_clusters import cluster_problems, cluster_unknowns
from meter_pipeline.errors import MeterError
from meter_pipeline.recognition.embeddings import normalised
from meter_pipeline.recognition.model_store import Reference
from meter_pipeline.recognition.network.backbones import load_backbone
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline.recognition.network.torch_network import TorchNetwork
from meter_pipeline.recognition.plate_reading import nothing_read
from meter_pipeline.settings import ClusterSettings
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.table_rows import vector_column, vectors
from meter_pipeline.storage.tables import (
    CLUSTER_EVENTS,
    CLUSTER_SUMMARY,
    REVIEW_CONSTRAINTS,
    UNKNOWN_CLUSTERS,
    UNKNOWN_EMBEDDINGS,
    TableSpec,
)
from meter_pipeline.training.held_out import no_held_out_rows
from meter_pipeline.training.saving import save_model
from meter_pipeline_tests.support.embedded_photos import known_photos
from meter_pipeline_tests.support.unknown_photos import draw_meter, put_unknown

pytestmark = pytest.mark.slow

TABLES = (UNKNOWN_CLUSTERS, CLUSTER_SUMMARY, CLUSTER_EVENTS)


def run(layout: Layout, *, anew: bool = False) -> bool:
    return cluster_unknowns(layout, anew=anew).changed


def run_killed_at(layout: Layout, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cluster, and end as this table is about to be written."""
    replace = Lake.replace

    def ended(lake: Lake, spec: TableSpec, rows: pd.DataFrame) -> str:
        if spec.name == table:
            raise KeyboardInterrupt
        return replace(lake, spec, rows)

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "replace", ended)
        with pytest.raises(KeyboardInterrupt):
            run(layout)


def put_model(layout: Layout, version: str, meters: dict[str, np.ndarray]) -> None:
    """Write the folder of a model that was trained on these pretrained embeddings by class."""
    preprocess = Preprocess((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    backbone, tuned = load_backbone("resnet18", "none"), load_backbone("resnet18", "none")
    labels = np.repeat(np.arange(len(meters)), [len(rows) for rows in meters.values()])
    rows = normalised(np.concatenate(list(meters.values())))
    fields = {
        **dict.fromkeys(("backbone", "weights_source", "data_version"), ""),
        **{name: {} for name in ("config", "counts", "metrics", "guard", "libraries", "waiting")},
        **{"version": version, "classes": list(meters), "backbone": "resnet18", "temperature": 1.0},
        **{"dimensions": backbone.dimensions, "trained_on": [], "history": []},
        **{"preprocess": asdict(preprocess), "preprocess_id": preprocess.preprocess_id},
    }
    network = TorchNetwork(
        trunk=backbone.trunk,
        pretrained_block=backbone.last_block,
        tuned_block=tuned.last_block,
        head=nn.Linear(backbone.dimensions, len(meters)),
        device=torch.device("cpu"),
    )
    ids = [str(place) for place in range(len(labels))]
    reference = Reference(ids, known_photos(labels, tuned=rows))
    save_model(layout, fields, network, preprocess, reference, no_held_out_rows())


def clusters_of(layout: Layout, image_ids: list[str]) -> set[int]:
    clusters = layout.lake.frame(UNKNOWN_CLUSTERS).set_index("image_id")["cluster_id"]
    return set(clusters.loc[image_ids].tolist())


def test_designs_come_apart_and_are_summed_up(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    ids = put_unknown(layout, {"alpha": 12, "beta": 9, "gamma": 7})
    found = cluster_unknowns(layout)
    assert found.clusters == 3
    summary = layout.lake.frame(CLUSTER_SUMMARY).set_index("cluster_id")
    assert summary.loc[[0, 1, 2], "top1_class"].tolist() == ["alpha1", "beta1", "gamma1"]
    assert summary.loc[0, "count"] + summary.loc[1, "count"] + summary.loc[2, "count"] == found.photos - found.noise
    assert summary.loc[1, "representative"] in ids["beta"]
    events = layout.lake.frame(CLUSTER_EVENTS)
    assert events["event"].tolist() == ["new"] * 3
    unknown = layout.lake.frame(UNKNOWN_EMBEDDINGS, ["image_id"])
    constraints = layout.lake.frame(REVIEW_CONSTRAINTS)
    assert cluster_problems(unknown, layout.lake.frame(UNKNOWN_CLUSTERS), constraints) == []


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
    run_killed_at(layouts[0], killed_at, monkeypatch)
    for layout in layouts:
        run(layout)
    for spec in TABLES:
        assert layouts[0].lake.frame(spec).equals(layouts[1].lake.frame(spec))


def test_photos_keep_their_cluster_as_the_set_grows_by_a_fifth(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    put_unknown(layout, {"alpha": 20, "beta": 15, "gamma": 10})
    run(layout)
    before = layout.lake.frame(UNKNOWN_CLUSTERS).set_index("image_id")
    put_unknown(layout, {"alpha": 24, "beta": 18, "gamma": 12})
    run(layout)
    after = layout.lake.frame(UNKNOWN_CLUSTERS).set_index("image_id")
    clustered = before[before["cluster_id"] >= 0]
    assert after.loc[clustered.index, "cluster_id"].tolist() == clustered["cluster_id"].tolist()
    assert after.loc[before.index, "previous_cluster_id"].tolist() == before["cluster_id"].tolist()
    newcomers = after.drop(before.index)
    assert newcomers["previous_cluster_id"].isna().all()
    assert (newcomers["cluster_id"] >= 0).all()
    assert ((after["membership"] == 0) == (after["cluster_id"] == -1)).all()
    assert run(layout, anew=True)
    assert layout.lake.frame(UNKNOWN_CLUSTERS)["settled"].all()
    assert not run(layout)


def test_the_same_photos_in_two_data_directories_are_the_same_tables(tmp_path: Path) -> None:
    layouts = Layout(tmp_path / "one"), Layout(tmp_path / "two")
    for layout in layouts:
        put_unknown(layout, {"alpha": 12, "beta": 9, "gamma": 7})
        run(layout)
    for spec in TABLES:
        assert layouts[0].lake.frame(spec).equals(layouts[1].lake.frame(spec))


def test_clusters_of_junk_are_told_from_clusters_of_meters(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    ids = put_unknown(layout, {"alpha": 12, "junk": 9})
    run(layout)
    assert layout.lake.frame(CLUSTER_SUMMARY)["meter_share"].isna().all()
    table = layout.lake.read(UNKNOWN_EMBEDDINGS).sort_by("image_id")
    is_alpha = np.isin(table["image_id"].to_pylist(), ids["alpha"])
    alpha = vectors(table, "pretrained_embedding")[is_alpha].mean(axis=0)
    random = np.random.default_rng(0)
    put_model(
        layout, "m1", {name: alpha + 0.3 * random.normal(size=(15, len(alpha))) for name in ("known", "known too")}
    )
    assert run(layout, anew=True)
    clusters = layout.lake.frame(UNKNOWN_CLUSTERS).set_index("image_id")["cluster_id"]
    shares = layout.lake.frame(CLUSTER_SUMMARY).set_index("cluster_id")["meter_share"]
    assert shares[clusters[ids["alpha"][0]]] == 1.0
    assert shares[clusters[ids["junk"][0]]] == 0.0


def test_a_burst_counts_as_one_meter(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    burst = [draw_meter(1, brightness=1 + 0.05 * number) for number in range(4)]
    ids = put_unknown(layout, {"alpha": 12}, contents={"alpha": burst})
    run(layout)
    clusters = layout.lake.frame(UNKNOWN_CLUSTERS).set_index("image_id")
    assert clusters.loc[ids["alpha"][:4], "same_meter"].nunique() == 1
    assert clusters["same_meter"].nunique() == 9
    summary = layout.lake.frame(CLUSTER_SUMMARY)
    assert (summary["count"] - summary["meters"]).sum() == 3


def test_what_another_method_found_is_clustered_anew_under_its_ids(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    put_unknown(layout, {"alpha": 12, "beta": 9})
    run(layout)
    clusters = layout.lake.frame(UNKNOWN_CLUSTERS)
    layout.lake.replace(UNKNOWN_CLUSTERS, clusters.assign(found_with="another method", settled=False))
    run(layout)
    again = layout.lake.frame(UNKNOWN_CLUSTERS)
    assert again["cluster_id"].tolist() == clusters["cluster_id"].tolist()
    assert again["found_with"].tolist() == clusters["found_with"].tolist()
    assert again["settled"].all()


@pytest.mark.parametrize(
    ("photos", "note"),
    [(0, "no UNKNOWN"), (1, "No 2 of the 1 photos look alike"), (8, "set to 40 photos and there are 8")],
)
def test_few_photos_or_too_large_a_smallest_cluster_are_said(tmp_path: Path, photos: int, note: str) -> None:
    layout = Layout(tmp_path)
    put_unknown(layout, {"alpha": photos} if photos else {})
    found = cluster_unknowns(layout, ClusterSettings(min_cluster_size=40 if photos == 8 else None))
    assert (found.photos, found.clusters, found.noise) == (photos, 0, photos)
    assert note in found.note
    assert layout.lake.count(UNKNOWN_CLUSTERS) == photos


def test_print_that_comes_later_clusters_anew(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    put_unknown(layout, {"alpha": 12, "beta": 9})
    run(layout)
    table = layout.lake.read(UNKNOWN_EMBEDDINGS)
    codes = nothing_read(len(table))
    codes[:, :2] = [3, 4]
    for name, column in (("printed", vector_column(codes)), ("print_hash", pa.array(["h"] * len(table), pa.string()))):
        table = table.set_column(table.column_names.index(name), UNKNOWN_EMBEDDINGS.schema.field(name), column)
    layout.lake.replace(UNKNOWN_EMBEDDINGS, table)
    assert run(layout)
    clusters = layout.lake.frame(UNKNOWN_CLUSTERS)
    assert clusters["settled"].all()
    assert clusters["found_with"].str.endswith(" print").all()
    assert not run(layout)


def test_embeddings_of_two_models_are_not_compared(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    matrix = vector_column(np.ones((2, 4)))
    printed, no_hash = vector_column(nothing_read(2)), pa.nulls(2, pa.string())
    columns = [pa.array(["a", "b"]), pa.array(["m1", "m2"]), matrix, matrix, printed, no_hash]
    layout.lake.replace(UNKNOWN_EMBEDDINGS, pa.table(columns, schema=UNKNOWN_EMBEDDINGS.schema))
    with pytest.raises(MeterError, match=r"from 2 models \(m1, m2\)"):
        run(layout)


def say(layout: Layout, *groups: Iterable[str], apart: Iterable[tuple[Iterable[str], Iterable[str]]] = ()) -> None:
    """Write what people said belongs together, and which photos they took out of which."""
    rows = [(f"together-{number}", "together", False, photo) for number, group in enumerate(groups) for photo in group]
    for number, (out, group) in enumerate(apart):
        rows += [(f"apart-{number}", "apart", True, photo) for photo in out]
        rows += [(f"apart-{number}", "apart", False, photo) for photo in group]
    layout.lake.replace(REVIEW_CONSTRAINTS, pd.DataFrame(rows, columns=list(REVIEW_CONSTRAINTS.columns)))


def partition(layout: Layout) -> dict[str, int]:
    """Cluster, check the result, and return the cluster of each photo."""
    run(layout)
    clusters, unknown = layout.lake.frame(UNKNOWN_CLUSTERS), layout.lake.frame(UNKNOWN_EMBEDDINGS, ["image_id"])
    assert cluster_problems(unknown, clusters, layout.lake.frame(REVIEW_CONSTRAINTS)) == []
    assert not run(layout)
    return dict(zip(clusters["image_id"], clusters["cluster_id"], strict=True))


def in_clusters(cluster_of: dict[str, int], image_ids: Iterable[str]) -> set[int]:
    return {cluster_of[image_id] for image_id in image_ids}


def constrained(layout: Layout) -> set[str]:
    clusters = layout.lake.frame(UNKNOWN_CLUSTERS)
    return set(clusters.loc[clusters["constrained"], "image_id"])


def test_two_clusters_that_a_person_merged_stay_merged_until_that_is_undone(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    ids = put_unknown(layout, {"alpha": 12, "beta": 9, "gamma": 7})
    before = partition(layout)
    assert len(in_clusters(before, before)) == 3
    merged = {*ids["alpha"], *ids["beta"]}
    say(layout, merged)
    after = partition(layout)
    assert in_clusters(after, merged) == in_clusters(before, ids["alpha"])
    assert constrained(layout) == merged
    assert {photo: after[photo] for photo in ids["gamma"]} == {photo: before[photo] for photo in ids["gamma"]}
    last = layout.lake.frame(CLUSTER_EVENTS).query("revision == 2").set_index("cluster_id")["event"]
    assert last.to_dict() == {before[ids["alpha"][0]]: "merged", before[ids["beta"][0]]: "gone"}

    grown = put_unknown(layout, {"alpha": 14, "beta": 16, "gamma": 7, "delta": 8})
    more = partition(layout)
    assert in_clusters(more, {*grown["alpha"], *grown["beta"]}) == in_clusters(before, ids["alpha"])
    put_unknown(layout, {"alpha": 14, "beta": 16, "gamma": 7, "delta": 8}, model_version="m2")
    assert partition(layout) == more

    say(layout)
    undone = partition(layout)
    assert constrained(layout) == set()
    apart = [in_clusters(undone, grown[design]) for design in grown]
    assert [len(clusters) for clusters in apart] == [1] * 4
    assert len(set.union(*apart)) == 4
    assert {photo: undone[photo] for photo in grown["gamma"]} == {photo: before[photo] for photo in ids["gamma"]}
    assert in_clusters(undone, grown["delta"]) == in_clusters(more, grown["delta"])


def test_a_merger_of_two_groups_that_is_undone_does_not_live_on(tmp_path: Path) -> None:
    """The photos are in a group as before, and the clusters hold to what people say now: no flag tells of it."""
    layout = Layout(tmp_path)
    ids = put_unknown(layout, {"alpha": 12, "beta": 9})
    partition(layout)
    say(layout, [*ids["alpha"], *ids["beta"]])
    assert len(in_clusters(partition(layout), [*ids["alpha"], *ids["beta"]])) == 1
    say(layout, ids["alpha"], ids["beta"])
    undone = partition(layout)
    assert in_clusters(undone, ids["alpha"]).isdisjoint(in_clusters(undone, ids["beta"]))


def test_strangers_that_a_person_took_out_stay_out_whatever_comes(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    ids = put_unknown(layout, {"alpha": 12, "beta": 9})
    before = partition(layout)
    strangers, rest = ids["alpha"][:2], ids["alpha"][2:]
    say(layout, apart=[(strangers, rest)])
    after = partition(layout)
    assert in_clusters(after, strangers) == {-1}
    assert constrained(layout) == set(strangers)
    others = [*rest, *ids["beta"]]
    assert {photo: after[photo] for photo in others} == {photo: before[photo] for photo in others}
    put_unknown(layout, {"alpha": 16, "beta": 11}, model_version="m2")
    assert in_clusters(partition(layout), strangers) == {-1}
    run(layout, anew=True)
    assert in_clusters(partition(layout), strangers) == {-1}
    say(layout)
    assert in_clusters(partition(layout), strangers) == in_clusters(before, rest)


def test_strangers_that_belong_together_are_a_cluster_of_their_own(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    ids = put_unknown(layout, {"alpha": 12, "beta": 9})
    before = partition(layout)
    strangers, rest = ids["alpha"][:2], ids["alpha"][2:]
    say(layout, strangers, apart=[(strangers[:1], rest)])
    after = partition(layout)
    (own,) = in_clusters(after, strangers)
    assert own not in {-1, *before.values()}
    assert in_clusters(after, rest) == in_clusters(before, rest)
    put_unknown(layout, {"alpha": 14, "beta": 11})
    assert in_clusters(partition(layout), strangers) == {own}
    say(layout, strangers)
    assert in_clusters(partition(layout), strangers) == in_clusters(before, rest)


def test_what_people_said_of_photos_that_are_decided_or_gone_changes_nothing(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    ids = put_unknown(layout, {"alpha": 12, "beta": 9})
    before = partition(layout)
    say(layout, ["gone", ids["alpha"][0]], ["gone too", "decided"], apart=[(["gone"], ids["beta"])])
    assert partition(layout) == before
    assert constrained(layout) == set()
    assert layout.lake.frame(CLUSTER_EVENTS)["revision"].max() == 1


@pytest.mark.parametrize("killed_at", [spec.name for spec in TABLES])
def test_ended_while_people_merge_clusters_it_comes_to_the_same_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: str
) -> None:
    layouts = Layout(tmp_path / "killed"), Layout(tmp_path / "undisturbed")
    for layout in layouts:
        put_unknown(layout, {"alpha": 12, "beta": 9})
        run(layout)
        ids = put_unknown(layout, {"alpha": 14, "beta": 11})
        run(layout)
        say(layout, ids["alpha"][:5] + ids["beta"][:9], apart=[(ids["alpha"][6:8], ids["beta"])])
    run_killed_at(layouts[0], killed_at, monkeypatch)
    for layout in layouts:
        run(layout)
    for spec in TABLES:
        assert layouts[0].lake.frame(spec).equals(layouts[1].lake.frame(spec))


def test_problems_are_named() -> None:
    unknown = pd.DataFrame({"image_id": ["a", "b", "c"]})
    clusters = pd.DataFrame({"image_id": ["a", "b", "b", "x"], "cluster_id": [0, 0, 1, -1]})
    nothing_said = REVIEW_CONSTRAINTS.schema.empty_table().to_pandas()
    assert cluster_problems(unknown, clusters, nothing_said) == [
        "1 UNKNOWN photos are in no cluster and not noise, c among them",
        "1 photos in the clusters are not UNKNOWN, x among them",
        "1 photos are in more than one cluster, b among them",
    ]


def test_photos_that_are_not_where_people_said_are_a_problem() -> None:
    clusters = pd.DataFrame({"image_id": ["a", "b", "c", "d"], "cluster_id": [0, 1, 1, 0]})
    said = pd.DataFrame(
        [("together-0", "together", False, "b"), ("together-0", "together", False, "a")],
        columns=["constraint_id", "kind", "is_out", "image_id"],
    )
    assert cluster_problems(clusters, clusters, said)[0].endswith("photos are not where people said, b among them")
