"""Classes: counts by split, photos of one class, labels that every neighbour contradicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from meter_pipeline.dashboard.browsing.classes import (
    ClassCounts,
    contradicted,
    count_classes,
    count_predicted_photos,
    labelled_files,
    labelled_photos,
    predicted_photos,
    suspicious_first,
    suspicious_labels,
)
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.table_rows import vector_column
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, DATASET_SPLIT, IMAGE_INVENTORY, KNOWN_EMBEDDINGS


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Class A: two train and a test photo, and a file refused; class B: one train photo; C only predicted."""
    lake = Layout(tmp_path).lake
    files = [("A/1.jpg", "A", "a1"), ("A/2.jpg", "A", "a2"), ("A/3.jpg", "A", "a3"), ("B/1.jpg", "B", "b1")]
    inventory = pd.DataFrame(files, columns=["path", "label", "image_id"])
    refused = pd.DataFrame(
        [
            {"path": "A/x.jpg", "label": "A", "reason": "damaged"},
            {"path": "y.jpg", "label": None, "reason": "no folder"},
        ]
    )
    rows = pd.concat([inventory, refused]).reindex(columns=list(IMAGE_INVENTORY.columns))
    lake.replace(IMAGE_INVENTORY, rows)
    split = inventory.assign(group_id="g", split=["train", "train", "test", "train"], rule="r")
    lake.replace(DATASET_SPLIT, split)
    predicted = [
        ("june", 0, "A", "x1", 0.9),
        ("june", 1, "A", "x2", 0.6),
        ("may", 0, "A", "x1", 0.9),
        ("may", 1, "C", "x3", 1),
    ]
    frame = pd.DataFrame(predicted, columns=["drop", "position", "final_prediction", "image_id", "top1_confidence"])
    lake.replace(BATCH_PREDICTIONS, frame.assign(rule="accepted").reindex(columns=list(BATCH_PREDICTIONS.columns)))
    return Layout(tmp_path)


def test_classes_are_counted_by_split_and_predicted(layout: Layout) -> None:
    a, b, c = count_classes(layout)
    assert a == ClassCounts(
        label="A",
        labelled=3,
        train=2,
        val=0,
        test=1,
        refused=1,
        predicted=3,
        example_id="a1",
        example_path="A/1.jpg",
    )
    assert (b.labelled, b.predicted, c.labelled, c.predicted) == (1, 0, 0, 1)


def test_the_photos_of_a_class_by_split_and_from_drops_each_once(layout: Layout) -> None:
    assert [photo.path for photo in labelled_photos(layout, "A")] == ["A/1.jpg", "A/2.jpg", "A/3.jpg"]
    assert [photo.path for photo in labelled_photos(layout, "A", "test")] == ["A/3.jpg"]
    assert count_predicted_photos(layout, "A") == 2
    found = [photo for page in range(2) for photo in predicted_photos(layout, "A", page=page, size=1)]
    assert [(photo.image_id, photo.drop) for photo in found] == [("x2", "june"), ("x1", "june")]
    assert labelled_files(layout, ["b1", "gone"]) == {"b1": ("B", layout.raw / "B" / "1.jpg")}


def test_doubted_labels_come_first(layout: Layout) -> None:
    photos = suspicious_first(labelled_photos(layout, "A"), {"a3"})
    assert [photo.image_id for photo in photos] == ["a3", "a1", "a2"]


def points(*groups: tuple[str, float, int]) -> tuple[np.ndarray, list[str], list[str]]:
    """Photos on the unit circle: label, angle and number of each group, a little apart."""
    angles = np.concatenate([angle + 0.01 * np.arange(count) for _label, angle, count in groups])
    labels = [label for label, _angle, count in groups for _ in range(count)]
    matrix = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    return matrix, [f"{label}{row}" for row, label in enumerate(labels)], labels


def test_a_photo_in_the_wrong_folder_is_found_and_a_lone_one_is_not_doubted() -> None:
    matrix, ids, labels = points(("A", 0.0, 8), ("B", 1.5, 8), ("B", 0.035, 1), ("LONE", 0.02, 1))
    found = contradicted(matrix, ids, labels)
    assert list(found) == ["B16"]
    assert found["B16"].looks_like == "A"
    assert found["B16"].similarity == pytest.approx(1, abs=1e-3)
    assert contradicted(matrix[:1], ids[:1], labels[:1]) == {}


def test_suspicious_labels_come_from_the_embeddings_before_fine_tuning(layout: Layout) -> None:
    import pyarrow as pa

    assert suspicious_labels(layout) == {}
    matrix, ids, labels = points(("A", 0.0, 8), ("B", 1.5, 8), ("B", 0.035, 1))
    told_apart = np.eye(len(ids), dtype=np.float32)
    table = {"image_id": ids, "model_version": ["m"] * len(ids), "label": labels, "split": ["train"] * len(ids)}
    columns = {"embedding": vector_column(told_apart), "pretrained_embedding": vector_column(matrix)}
    layout.lake.replace(KNOWN_EMBEDDINGS, pa.table({**table, **columns}))
    assert list(suspicious_labels(layout)) == ["B16"]
