"""The classes: photos counted by split, the photos of one class, and labels that their neighbours contradict."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from meter_pipeline.labels import Rule, Split
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.queries import querying
from meter_pipeline.storage.table_rows import vectors
from meter_pipeline.storage.tables import KNOWN_EMBEDDINGS

TABLES = ("image_inventory", "dataset_split", "batch_predictions", "known_embeddings")
"""What the functions here read; for caches."""
NEIGHBOURS = 5
"""Nearest photos that must all have another label."""
BLOCK = 1024
"""Photos compared with all others at a time: 80 MB of similarities where there are 20,000."""


@dataclass(frozen=True)
class ClassCounts:
    """A class, and how many photos it has.

    Attributes:
        label: the class.
        labelled: labelled files that are used, duplicates once for each file.
        train: photos of this split, each once.
        val: likewise.
        test: likewise.
        refused: files that are not used, as they are damaged or not photos.
        predicted: rows of drops that were given the class.
        example_id: a labelled photo; None if there is none.
        example_path: its file below `data/raw`.
    """

    label: str
    labelled: int
    train: int
    val: int
    test: int
    refused: int
    predicted: int
    example_id: str | None
    example_path: str | None


@dataclass(frozen=True)
class LabelledPhoto:
    """A labelled photo.

    Attributes:
        image_id: the photo.
        path: its file below `data/raw`.
        split: train, val or test.
    """

    image_id: str
    path: str
    split: str


@dataclass(frozen=True)
class PredictedPhoto:
    """A photo of a drop that was given a class.

    Attributes:
        image_id: the photo.
        drop: the first drop it was in.
        top1_confidence: raw softmax, 0 to 1.
    """

    image_id: str
    drop: str
    top1_confidence: float


@dataclass(frozen=True)
class Suspicion:
    """A label that all of a photo's nearest neighbours contradict.

    Attributes:
        image_id: the photo.
        looks_like: the most frequent label among the neighbours.
        similarity: cosine similarity of the nearest one.
    """

    image_id: str
    looks_like: str
    similarity: float


def count_classes(layout: Layout) -> list[ClassCounts]:
    """Return the classes with their counts, by name: those with labelled photos, and those that were predicted."""
    with querying(layout.lake, *TABLES) as lake:
        rows = lake.rows(
            f"""WITH i AS (SELECT label, count(*) FILTER (reason IS NULL) AS labelled,
                                 count(*) FILTER (reason IS NOT NULL) AS refused,
                                 first(image_id ORDER BY path) FILTER (reason IS NULL) AS example_id,
                                 first(path ORDER BY path) FILTER (reason IS NULL) AS example_path
                          FROM image_inventory WHERE label IS NOT NULL GROUP BY label),
                    s AS (SELECT label, count(*) FILTER (split = '{Split.TRAIN}') AS train,
                                 count(*) FILTER (split = '{Split.VAL}') AS val,
                                 count(*) FILTER (split = '{Split.TEST}') AS test
                          FROM dataset_split GROUP BY label),
                    p AS (SELECT final_prediction AS label, count(*) AS predicted FROM batch_predictions
                          WHERE rule = '{Rule.ACCEPTED}' GROUP BY ALL)
               SELECT label, coalesce(labelled, 0) AS labelled, coalesce(train, 0) AS train, coalesce(val, 0) AS val,
                      coalesce(test, 0) AS test, coalesce(refused, 0) AS refused, coalesce(predicted, 0) AS predicted,
                      example_id, example_path
               FROM i FULL JOIN s USING (label) FULL JOIN p USING (label) ORDER BY label"""
        )
    return [ClassCounts(**row) for row in rows]


def labelled_photos(layout: Layout, label: str, split: str | None = None) -> list[LabelledPhoto]:
    """Return the labelled photos of a class, by path.

    Args:
        layout: the data directory.
        label: the class.
        split: train, val or test; all where None.
    """
    with querying(layout.lake, "dataset_split") as lake:
        rows = lake.rows(
            """SELECT image_id, path, split FROM dataset_split
               WHERE label = ? AND (? IS NULL OR split = ?) ORDER BY path""",
            [label, split, split],
        )
    return [LabelledPhoto(**row) for row in rows]


def suspicious_first(photos: list[LabelledPhoto], suspicious: Container[str]) -> list[LabelledPhoto]:
    """Return the photos with those whose label is doubted in front; otherwise their order stays."""
    return sorted(photos, key=lambda photo: photo.image_id not in suspicious)


def predicted_photos(layout: Layout, label: str, *, page: int, size: int) -> list[PredictedPhoto]:
    """Return a page of the drops' photos that were given a class, each once, the least sure first.

    Args:
        layout: the data directory.
        label: the class.
        page: from 0.
        size: how many photos a page has.
    """
    with querying(layout.lake, "batch_predictions") as lake:
        rows = lake.rows(
            f"""SELECT image_id, min_by("drop", ("drop", position)) AS "drop", min(top1_confidence) AS top1_confidence
               FROM batch_predictions WHERE final_prediction = ? AND rule = '{Rule.ACCEPTED}' GROUP BY image_id
               ORDER BY top1_confidence, image_id LIMIT ? OFFSET ?""",
            [label, size, page * size],
        )
    return [PredictedPhoto(**row) for row in rows]


def count_predicted_photos(layout: Layout, label: str) -> int:
    """Return how many different photos of the drops were given a class."""
    with querying(layout.lake, "batch_predictions") as lake:
        return int(
            lake.value(
                f"""SELECT count(DISTINCT image_id) FROM batch_predictions
                   WHERE final_prediction = ? AND rule = '{Rule.ACCEPTED}'""",
                [label],
            )
        )


def labelled_files(layout: Layout, image_ids: list[str]) -> dict[str, tuple[str, Path]]:
    """Return label and file of labelled photos, by image_id; photos that are not labelled are left out."""
    with querying(layout.lake, "image_inventory") as lake:
        rows = lake.rows(
            """SELECT image_id, label, path FROM image_inventory WHERE list_contains(?, image_id) AND reason IS NULL
               ORDER BY path DESC""",
            [image_ids],
        )
    return {row["image_id"]: (row["label"], layout.raw / row["path"]) for row in rows}


def suspicious_labels(layout: Layout) -> dict[str, Suspicion]:
    """Return the labelled photos whose nearest neighbours all have another label, by image_id.

    Compared are the embeddings before fine-tuning: the tuned ones were taught the very labels that are doubted. A photo
    that is alone in its class is not doubted, as no neighbour could agree. Some seconds for 20,000 photos.
    """
    table = layout.lake.read(KNOWN_EMBEDDINGS, ["image_id", "label", "pretrained_embedding"])
    matrix = vectors(table, "pretrained_embedding")
    return contradicted(matrix, table["image_id"].to_pylist(), table["label"].to_pylist())


def contradicted(matrix: np.ndarray, image_ids: list[str], labels: list[str]) -> dict[str, Suspicion]:
    """Return the photos whose `NEIGHBOURS` nearest photos all have another label.

    Args:
        matrix: L2-normalised embeddings, photos x dimensions.
        image_ids: the photos.
        labels: their labels.
    """
    count, names = len(labels), np.array(labels, dtype=object)
    if count < 2:
        return {}
    classes, codes, sizes = np.unique(names.astype(str), return_inverse=True, return_counts=True)
    neighbours = min(NEIGHBOURS, count - 1)
    found = {}
    for start in range(0, count, BLOCK):
        similarity = matrix[start : start + BLOCK] @ matrix.T
        rows = np.arange(len(similarity))
        similarity[rows, start + rows] = -np.inf
        nearest = np.argpartition(-similarity, neighbours - 1, axis=1)[:, :neighbours]
        against = (codes[nearest] != codes[start + rows, None]).all(axis=1) & (sizes[codes[start + rows]] > 1)
        for row in np.flatnonzero(against):
            votes = np.bincount(codes[nearest[row]], minlength=len(classes))
            image_id = image_ids[start + row]
            best = float(similarity[row, nearest[row]].max())
            found[image_id] = Suspicion(image_id, str(classes[votes.argmax()]), best)
    return found
