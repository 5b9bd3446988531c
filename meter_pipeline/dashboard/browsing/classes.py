"""The classes to browse: photos counted by split, the photos of one, and labels that their neighbours contradict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from meter_pipeline.storage.lake import vectors
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.queries import Row, querying
from meter_pipeline.storage.tables import KNOWN_EMBEDDINGS

TABLES = ("image_inventory", "dataset_split", "batch_predictions", "known_embeddings")
"""What the functions here read; for caches."""
SPLITS = ("train", "val", "test")
NEIGHBOURS = 5
"""Nearest photos that must all have another label."""
BLOCK = 1024
"""Photos compared with all others at a time: 80 MB of similarities where there are 20,000."""


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


def count_classes(layout: Layout) -> list[Row]:
    """Return a row a class, by name: labelled, train, val, test, refused, predicted; `example_id`, `example_path`.

    `labelled` counts files that are used, duplicates once for each file; `predicted` the drops' rows with that name.
    """
    with querying(layout.lake, *TABLES) as lake:
        return lake.rows(
            """WITH i AS (SELECT label, count(*) FILTER (reason IS NULL) AS labelled,
                                 count(*) FILTER (reason IS NOT NULL) AS refused,
                                 first(image_id ORDER BY path) FILTER (reason IS NULL) AS example_id,
                                 first(path ORDER BY path) FILTER (reason IS NULL) AS example_path
                          FROM image_inventory GROUP BY label),
                    s AS (SELECT label, count(*) FILTER (split = 'train') AS train,
                                 count(*) FILTER (split = 'val') AS val, count(*) FILTER (split = 'test') AS test
                          FROM dataset_split GROUP BY label),
                    p AS (SELECT final_prediction AS label, count(*) AS predicted FROM batch_predictions
                          WHERE rule = 'accepted' GROUP BY ALL)
               SELECT label, coalesce(labelled, 0) AS labelled, coalesce(train, 0) AS train, coalesce(val, 0) AS val,
                      coalesce(test, 0) AS test, coalesce(refused, 0) AS refused, coalesce(predicted, 0) AS predicted,
                      example_id, example_path
               FROM i FULL JOIN s USING (label) FULL JOIN p USING (label) ORDER BY label"""
        )


def labelled_photos(layout: Layout, label: str, split: str | None = None) -> list[Row]:
    """Return the labelled photos of a class, by path: image_id, path, split, rule, width, height.

    Args:
        layout: the data directory.
        label: the class.
        split: train, val or test; all where None.
    """
    with querying(layout.lake, *TABLES) as lake:
        return lake.rows(
            """SELECT s.image_id, s.path, s.split, s.rule, i.width, i.height
               FROM dataset_split AS s LEFT JOIN image_inventory AS i USING (path)
               WHERE s.label = ? AND (? IS NULL OR s.split = ?) ORDER BY s.path""",
            [label, split, split],
        )


def predicted_photos(layout: Layout, label: str, *, page: int, size: int) -> list[Row]:
    """Return a page of the drops' photos that were given a class, each once, the least sure first.

    image_id, drop, position, image_url, top1_confidence.
    """
    with querying(layout.lake, *TABLES) as lake:
        return lake.rows(
            """SELECT image_id, min_by("drop", ("drop", position)) AS "drop",
                      min_by(position, ("drop", position)) AS position,
                      min_by(image_url, ("drop", position)) AS image_url, min(top1_confidence) AS top1_confidence
               FROM batch_predictions WHERE final_prediction = ? AND rule = 'accepted' GROUP BY image_id
               ORDER BY top1_confidence, image_id LIMIT ? OFFSET ?""",
            [label, size, page * size],
        )


def count_predicted_photos(layout: Layout, label: str) -> int:
    """Return how many different photos of the drops were given a class."""
    with querying(layout.lake, "batch_predictions") as lake:
        return int(
            lake.value(
                """SELECT count(DISTINCT image_id) FROM batch_predictions
                   WHERE final_prediction = ? AND rule = 'accepted'""",
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
        labels: label a photo.
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
