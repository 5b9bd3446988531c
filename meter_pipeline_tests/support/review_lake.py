"""A lake to review on, written by hand: drawn photos of a few designs, clustered, embedded; nothing is trained."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image, ImageDraw

from meter_pipeline.labels import NOISE
from meter_pipeline.recognition.plate_reading import nothing_read
from meter_pipeline.storage.files import write_bytes
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.table_rows import vector_column
from meter_pipeline.storage.tables import (
    CLUSTER_SUMMARY,
    IMAGE_INVENTORY,
    KNOWN_EMBEDDINGS,
    UNKNOWN_CLUSTERS,
    UNKNOWN_EMBEDDINGS,
    UNKNOWN_METADATA,
)

DIMENSIONS = 32
LARGE, STRANGERS = 300, 12
"""Photos in the large group, and those among them that do not belong there."""
KNOWN = {"HPL_BLUE": 5, "HPL_GREY": 5, "LT2": 5}
"""Labelled photos by class."""
MODEL = "m1"
_SIZE = (120, 160)


@dataclass(frozen=True)
class Group:
    """A cluster as it is written.

    Attributes:
        designs: photos by design; a design that other groups have too looks the same there.
        sureness: chance that it is one type.
        meter_share: share that looks like meters.
    """

    designs: Mapping[str, int]
    sureness: float | None = 0.9
    meter_share: float = 1.0


GROUPS = {
    0: Group({"stranger": STRANGERS, "white": LARGE - STRANGERS}, sureness=0.97),
    1: Group({"green": 14}, sureness=0.93),
    2: Group({"green again": 9}, sureness=0.92),
    3: Group({"brown": 11, "pink": 7}, sureness=0.60),
    4: Group({"wall": 6}, meter_share=0.1),
    5: Group({"blue": 8}, sureness=0.71),
    NOISE: Group({"white": 30, "stranger": 10}, sureness=None, meter_share=0.5),
}
"""The large group, two that are alike (1 and 2), a mixed one (3), walls (4), one near a known class (5), noise."""
_ALIKE = {"green again": "green", "HPL_BLUE": "blue"}
_STRANGE = "stranger"


@dataclass(frozen=True)
class ReviewLake:
    """What was written.

    Attributes:
        layout: the data directory.
        members: photos by cluster.
        designs: what each photo shows.
        strangers: those in the large group that do not belong there.
        known: labelled photos by class.
    """

    layout: Layout
    members: dict[int, list[str]]
    designs: dict[str, str]
    strangers: list[str]
    known: dict[str, list[str]]


def write_review_lake(data_dir: Path) -> ReviewLake:
    """Write photos and tables into an empty data directory."""
    layout = Layout(data_dir)
    layout.prepare()
    random = np.random.default_rng(18)
    members: dict[int, list[str]] = {}
    designs: dict[str, str] = {}
    vectors: dict[str, np.ndarray] = {}
    for cluster_id, group in GROUPS.items():
        for design, count in group.designs.items():
            for _ in range(count):
                image_id = _draw(layout, design, random)
                members.setdefault(cluster_id, []).append(image_id)
                designs[image_id], vectors[image_id] = design, _look(design, random)
    known = {label: [_draw(layout, label, random) for _ in range(count)] for label, count in KNOWN.items()}
    _write_known(layout, known, {i: _look(label, random) for label, photos in known.items() for i in photos})
    _write_unknown(layout, vectors, designs)
    write_clusters(layout, members)
    return ReviewLake(layout, members, designs, [i for i in members[0] if designs[i] == _STRANGE], known)


def write_clusters(layout: Layout, members: Mapping[int, Sequence[str]], *, revision: int = 1) -> None:
    """Write which photo is in which cluster, as a clustering does; every tenth photo is of its neighbour's meter."""
    rows, summary = [], []
    for cluster_id, photos in members.items():
        group = GROUPS.get(cluster_id, Group({}))
        for number, image_id in enumerate(photos):
            is_second = number % 10 == 9 and cluster_id != NOISE
            rows.append(
                dict.fromkeys(UNKNOWN_CLUSTERS.columns)
                | {
                    "image_id": image_id,
                    "cluster_id": cluster_id,
                    "membership": 0.0 if cluster_id == NOISE else 0.8,
                    "same_meter": photos[number - 1] if is_second else image_id,
                    "settled": True,
                    "constrained": False,
                    "found_with": "drawn",
                    "revision": revision,
                }
            )
        summary.append(
            dict.fromkeys(CLUSTER_SUMMARY.columns)
            | {
                "cluster_id": cluster_id,
                "count": len(photos),
                "meters": len(photos),
                "meter_share": group.meter_share,
                "sureness": group.sureness,
            }
        )
    layout.lake.replace(UNKNOWN_CLUSTERS, pd.DataFrame(rows, columns=list(UNKNOWN_CLUSTERS.columns)).astype(object))
    layout.lake.replace(CLUSTER_SUMMARY, pd.DataFrame(summary, columns=list(CLUSTER_SUMMARY.columns)).astype(object))


def _write_unknown(layout: Layout, vectors: Mapping[str, np.ndarray], designs: Mapping[str, str]) -> None:
    rows = [
        dict.fromkeys(UNKNOWN_METADATA.columns)
        | {
            "image_id": image_id,
            "image_url": f"http://photos.example/{image_id[:12]}.jpg",
            "model_version": MODEL,
            "final_prediction": "UNKNOWN",
            "top1_class": "HPL_BLUE" if design == "blue" else "LT2",
            "top1_confidence": 0.41,
            "top2_class": "HPL_GREY",
            "top2_confidence": 0.2,
            "reason": "Top-1 softmax is under 50 %.",
        }
        for image_id, design in designs.items()
    ]
    layout.lake.replace(UNKNOWN_METADATA, pd.DataFrame(rows, columns=list(UNKNOWN_METADATA.columns)).astype(object))
    embedding = vector_column(np.array(list(vectors.values())))
    columns = {
        "image_id": pa.array(list(vectors), pa.string()),
        "model_version": pa.array([MODEL] * len(vectors), pa.string()),
        "embedding": embedding,
        "pretrained_embedding": embedding,
        "printed": vector_column(nothing_read(len(vectors))),
        "print_hash": pa.nulls(len(vectors), pa.string()),
    }
    layout.lake.replace(UNKNOWN_EMBEDDINGS, pa.table(columns, schema=UNKNOWN_EMBEDDINGS.schema))


def _write_known(layout: Layout, known: Mapping[str, Sequence[str]], vectors: Mapping[str, np.ndarray]) -> None:
    rows = [(image_id, label) for label, photos in known.items() for image_id in photos]
    embedding = vector_column(np.array([vectors[image_id] for image_id, _ in rows]))
    columns = {
        "image_id": pa.array([image_id for image_id, _ in rows], pa.string()),
        "model_version": pa.array([MODEL] * len(rows), pa.string()),
        "label": pa.array([label for _, label in rows], pa.string()),
        "split": pa.array(["train"] * len(rows), pa.string()),
        "embedding": embedding,
        "pretrained_embedding": embedding,
    }
    layout.lake.replace(KNOWN_EMBEDDINGS, pa.table(columns, schema=KNOWN_EMBEDDINGS.schema))
    files = []
    for image_id, label in rows:
        content = layout.image(image_id).read_bytes()
        write_bytes(layout.raw / label / f"{image_id[:12]}.jpg", content)
        files.append(
            dict.fromkeys(IMAGE_INVENTORY.columns)
            | {"path": f"{label}/{image_id[:12]}.jpg", "label": label, "image_id": image_id, "bytes": len(content)}
        )
    layout.lake.replace(IMAGE_INVENTORY, pd.DataFrame(files, columns=list(IMAGE_INVENTORY.columns)).astype(object))


def _look(design: str, random: np.random.Generator) -> np.ndarray:
    """Return an embedding: photos of a design lie together, strangers anywhere."""
    own = np.random.default_rng(list(design.encode())).normal(size=DIMENSIONS)
    if design == _STRANGE:
        own = random.normal(size=DIMENSIONS)
    elif design in _ALIKE:
        own = 0.35 * own + np.random.default_rng(list(_ALIKE[design].encode())).normal(size=DIMENSIONS)
    vector = own + 0.15 * random.normal(size=DIMENSIONS)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def _draw(layout: Layout, design: str, random: np.random.Generator) -> str:
    """Draw a box on a wall, its colour by design (a stranger's is any), with a dial; store it."""
    own = random if design == _STRANGE else np.random.default_rng(list(_ALIKE.get(design, design).encode()))
    colour = tuple(int(value) for value in own.integers(30, 230, 3))
    image = Image.new("RGB", _SIZE, tuple(int(value) for value in random.integers(90, 200, 3)))
    pen = ImageDraw.Draw(image)
    left, top = (int(value) for value in random.integers(8, 24, 2))
    pen.rectangle((left, top, _SIZE[0] - 16, _SIZE[1] - 16), fill=colour, outline=(20, 20, 20))
    pen.rectangle((left + 14, top + 20, left + 66, top + 40), fill=(225, 230, 220), outline=(20, 20, 20))
    pen.text((left + 18, top + 24), f"{int(random.integers(0, 10**6)):06d}", fill=(10, 10, 10))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    image_id = hashlib.sha256(buffer.getvalue()).hexdigest()
    write_bytes(layout.image(image_id), buffer.getvalue())
    return image_id
