"""The plan of a clustering: it follows from what it is given, and events that no clusters belong to are dropped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from meter_pipeline.discovery.given_constraints import GivenConstraints
from meter_pipeline.discovery.plan import Method, Tables, UnknownPhotos, plan_tables
from meter_pipeline.storage.tables import CLUSTER_EVENTS, UNKNOWN_CLUSTERS
from meter_pipeline_tests.support.drawn_embeddings import drawn_embeddings

pytestmark = pytest.mark.slow

METHOD = Method(min_cluster_size=None)
NOTHING = Tables(
    clusters=UNKNOWN_CLUSTERS.schema.empty_table().to_pandas(),
    events=CLUSTER_EVENTS.schema.empty_table().to_pandas(),
)


def photos_of(embeddings: np.ndarray) -> UnknownPhotos:
    image_ids = [f"{number:04d}" for number in range(len(embeddings))]
    guesses = pd.DataFrame({"image_id": image_ids, "top1_class": "ALPHA_1", "top1_confidence": 0.4})
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return UnknownPhotos(
        image_ids=image_ids,
        model_version="m1",
        compared=unit,
        hashes=[None] * len(embeddings),
        look_like_meters=None,
        with_print=False,
        metadata=guesses,
        constraints=GivenConstraints(len(image_ids)),
    )


def events(*rows: tuple[int, int, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["revision", "cluster_id", "event"]).assign(from_clusters="", count=1)


def test_what_is_planned_stays_as_it_is_when_it_is_planned_again() -> None:
    photos = photos_of(drawn_embeddings()[0])
    first = plan_tables(photos, NOTHING, METHOD, anew=False)
    again = plan_tables(photos, first.tables, METHOD, anew=False)
    assert first.found is not None
    assert first.tables.revision == 1
    assert again.found is None
    assert again.summary.equals(first.summary)
    for name in ("clusters", "events"):
        assert getattr(again.tables, name).equals(getattr(first.tables, name))


def test_the_tables_that_there_are_are_not_changed() -> None:
    embeddings = drawn_embeddings()[0]
    stored = plan_tables(photos_of(embeddings[:100]), NOTHING, METHOD, anew=False).tables
    copies = {name: getattr(stored, name).copy() for name in ("clusters", "events")}
    grown = plan_tables(photos_of(embeddings), stored, METHOD, anew=False)
    assert len(grown.tables.clusters) == len(embeddings)
    for name, copy in copies.items():
        assert getattr(stored, name).equals(copy)


def test_the_summary_says_what_the_photos_of_a_cluster_are() -> None:
    one, other = np.repeat(np.eye(4), 3, axis=0)[:3], np.repeat(np.eye(4), 3, axis=0)[3:6]
    spread = np.array([[0.0, 0, 0, 0.3], [0.0, 0, 0, 0], [0.0, 0, 0, -0.3]])
    photos = photos_of(np.concatenate([one + spread, other + spread, [[0, 0, 1, 0]]]))
    names = ["BETA_1", "ALPHA_1", None, "BETA_1", "ALPHA_1", "BETA_1", None]
    confidences = [0.2, 0.4, np.nan, 0.3, 0.3, 0.3, np.nan]
    guesses = photos.metadata.assign(top1_class=names, top1_confidence=confidences)
    photos = replace(photos, metadata=guesses[::-1], look_like_meters=np.array([True] * 3 + [False] * 3 + [True]))
    summary = plan_tables(photos, NOTHING, METHOD, anew=False).summary.set_index("cluster_id")
    assert summary["count"].to_dict() == {-1: 1, 0: 3, 1: 3}
    assert summary.loc[[0, 1], "top1_class"].tolist() == ["ALPHA_1", "BETA_1"]  # equally often: the first by alphabet
    assert summary.loc[[0, 1], "top1_share"].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert summary.loc[[0, 1], "mean_top1_confidence"].tolist() == pytest.approx([0.3, 0.3])
    assert (
        summary.loc[-1, ["top1_class", "top1_share", "mean_top1_confidence", "representative", "sureness"]].isna().all()
    )
    assert summary.loc[[0, 1], "representative"].tolist() == ["0001", "0004"]
    assert summary["meter_share"].to_dict() == {-1: 1.0, 0: 1.0, 1: 0.0}
    assert summary["meters"].to_dict() == {-1: 1, 0: 3, 1: 3}


def test_events_of_a_revision_that_the_clusters_do_not_know_are_dropped() -> None:
    clusters = pd.DataFrame({"image_id": ["a"], "cluster_id": [0], "revision": [1]})
    unfinished = Tables(clusters, events((1, 0, "new"), (2, 0, "kept"), (2, 1, "new")))
    assert unfinished.finished().events["revision"].tolist() == [1]


def test_without_photos_the_last_revision_is_finished_if_every_cluster_is_gone_by_then() -> None:
    gone = events((1, 0, "new"), (2, 0, "gone"))
    assert Tables(NOTHING.clusters, gone).revision == 2
    still_there = events((1, 0, "new"))
    assert Tables(NOTHING.clusters, still_there).revision == 0
    assert NOTHING.revision == 0
