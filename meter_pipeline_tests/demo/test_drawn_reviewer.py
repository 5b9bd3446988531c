"""The reviewer who knows what was drawn decides as a careful person would, cluster by cluster."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from meter_pipeline.demo.drawn_reviewer import review_clusters
from meter_pipeline.labels import Action
from meter_pipeline.review.decisions import read_decisions
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import UNKNOWN_CLUSTERS, URL_IMAGES, TableSpec

KINDS = {
    "u1": ("unseen", "NEW"),
    "u2": ("unseen", "NEW"),
    "u3": ("unseen", "NEW"),
    "k1": ("known", "LT2"),
    "j1": ("junk", ""),
    "j2": ("junk", ""),
    "b1": ("blurred", "LT2"),
    "b2": ("blurred", "LT2"),
    "n1": ("unseen", "NEW"),
}
CLUSTERS = {"u1": 0, "u2": 0, "u3": 0, "k1": 0, "j1": 1, "j2": 1, "b1": 2, "b2": 2, "n1": -1}


def photo(name: str) -> str:
    return name.encode().hex().ljust(64, "0")


def put(layout: Layout, table: TableSpec, rows: list[dict[str, object]]) -> None:
    layout.lake.replace(table, pd.DataFrame(rows).reindex(columns=list(table.columns)))


def test_strangers_are_taken_out_the_rest_named_junk_is_junk_and_the_unreadable_is_left(tmp_path: Path) -> None:
    layout, truth = Layout(tmp_path), tmp_path / "truth.csv"
    lines = [f"/{name}.jpg,{kind},{design}" for name, (kind, design) in KINDS.items()]
    truth.write_text("\n".join(["path,kind,design", *lines]), encoding="utf-8")
    put(
        layout,
        URL_IMAGES,
        [{"image_url": f"http://127.0.0.1/{name}.jpg", "image_id": photo(name), "outcome": "ok"} for name in KINDS],
    )
    put(
        layout,
        UNKNOWN_CLUSTERS,
        [{"image_id": photo(name), "cluster_id": number, "revision": 1} for name, number in CLUSTERS.items()],
    )
    reviewed = review_clusters(layout, truth)
    said = {decision.action: decision for decision in read_decisions(layout).decisions}
    assert (reviewed.decisions, reviewed.named, reviewed.junk, reviewed.classes) == (3, 3, 2, ("NEW",))
    assert set(said) == {Action.EXCLUDE, Action.NAME, Action.JUNK}
    assert said[Action.EXCLUDE].image_ids == (photo("k1"),)
    assert set(said[Action.NAME].image_ids) == {photo("u1"), photo("u2"), photo("u3")}
    assert said[Action.NAME].target == "NEW"
    assert set(said[Action.JUNK].image_ids) == {photo("j1"), photo("j2")}
