"""The scorecard: predictions and clusters against what was drawn, by hand."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from meter_pipeline.demo.scorecard import score
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, UNKNOWN_CLUSTERS, URL_IMAGES, TableSpec

TRUTH = """path,kind,design
/k1.jpg,known,LT2
/k2.jpg,known,LT2
/u1.jpg,unseen,NEW
/u2.jpg,unseen,NEW
/u3.jpg,unseen,NEW
/j1.jpg,junk,
"""
PREDICTIONS = [
    ("k1", "LT2", "LT2"),
    ("k2", "UNKNOWN", "HPL"),
    ("u1", "UNKNOWN", "HPL"),
    ("u2", "UNKNOWN", "HPL"),
    ("u3", "UNKNOWN", "HPL"),
    ("j1", "DARK", "HPL"),
]
CLUSTERS = {"u1": 0, "u2": 0, "k2": 0, "u3": -1}


def put(layout: Layout, table: TableSpec, rows: list[dict[str, object]]) -> None:
    layout.lake.replace(table, pd.DataFrame(rows).reindex(columns=list(table.columns)))


def test_shares_and_counts_are_those_of_the_tables(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    (tmp_path / "truth.csv").write_text(TRUTH, encoding="utf-8")
    rows: list[dict[str, object]] = [
        {
            "drop": "may",
            "position": position,
            "image_url": f"http://127.0.0.1/{name}.jpg",
            "image_id": name,
            "outcome": "ok",
            "final_prediction": final,
            "top1_class": best,
        }
        for position, (name, final, best) in enumerate(PREDICTIONS)
    ]
    put(layout, URL_IMAGES, rows)
    unusable: dict[str, object] = {"drop": "may", "position": 6, "final_prediction": "ERROR"}
    put(layout, BATCH_PREDICTIONS, [*rows, unusable])
    members: list[dict[str, object]] = [
        {"image_id": name, "cluster_id": number, "membership": 1.0, "revision": 1} for name, number in CLUSTERS.items()
    ]
    put(layout, UNKNOWN_CLUSTERS, members)
    found = score(layout, tmp_path / "truth.csv")
    assert found.known_accuracy == 0.5
    assert found.final_labels.loc["known"].to_dict() == {"DARK": 0, "ERROR": 0, "UNKNOWN": 1, "a class": 1}
    assert found.final_labels.loc["not a URL", "ERROR"] == 1
    (cluster,) = found.clusters.to_dict("records")
    assert (cluster["photos"], cluster["mostly"], cluster["purity"]) == (3, "NEW", pytest.approx(2 / 3))
    assert found.unseen_found == pytest.approx(2 / 3)
