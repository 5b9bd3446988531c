"""The schema of every table in the lake, written down once: columns, key, and which columns make its data version."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

STRING, INT, FLOAT, BOOL = pa.string(), pa.int64(), pa.float64(), pa.bool_()
VECTOR = pa.list_(pa.float32())


@dataclass(frozen=True)
class TableSpec:
    """A table: its name, columns, key, and the columns left out of its data version.

    Attributes:
        name: folder under `lake/`.
        columns: Arrow type a column, in order.
        key: columns that name a row; no two rows share them.
        volatile: columns whose values may differ between two runs that did the same (times, attempts, and the float
            vectors that follow from the key); they are stored but make no new data version.
        description: a sentence for the UI and the warehouse.
    """

    name: str
    description: str
    columns: dict[str, pa.DataType]
    key: tuple[str, ...]
    volatile: frozenset[str] = field(default_factory=frozenset)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema."""
        return pa.schema(list(self.columns.items()))

    @property
    def hashed(self) -> list[str]:
        """The columns that make the data version."""
        return [name for name in self.columns if name not in self.volatile]


QUALITY_COLUMNS = {"brightness": FLOAT, "contrast": FLOAT, "sharpness": FLOAT, "glare": FLOAT, "green_ratio": FLOAT}
TOP3_COLUMNS = {f"top{k}_{what}": t for k in (1, 2, 3) for what, t in (("class", STRING), ("confidence", FLOAT))}
DECISION_COLUMNS = (
    *("image_id", "final_prediction", *TOP3_COLUMNS, "calibrated_confidence", "guard_score"),
    *("nearest_known", "nearest_known_class", "rule", "reason"),
)
"""What is decided on a photo."""

EXPORT_COLUMNS = (
    "image_url",
    "final_prediction",
    "top1_class",
    "top1_confidence",
    "top2_class",
    "top2_confidence",
    "top3_class",
    "top3_confidence",
    "brightness",
    "contrast",
    "green_ratio",
    "reason",
)
"""First columns of every export, in this order; a CSV that begins so was written by us, so its quotes are undone."""

IMAGE_INVENTORY = TableSpec(
    "image_inventory",
    "A row a labelled file: what it is, how good it is, which near-duplicates it belongs to, or why it was refused.",
    {
        "path": STRING,  # below data/raw, with forward slashes: <CLASS>/<file>
        "label": STRING,
        "image_id": STRING,  # SHA-256 of the bytes; null where the file could not be read
        "bytes": INT,
        "modified_ns": INT,
        "width": INT,
        "height": INT,
        "format": STRING,
        **QUALITY_COLUMNS,
        "perceptual_hash": STRING,
        "group_id": STRING,  # near-duplicates and photos of one physical meter share it
        "reason": STRING,  # why the file was refused; null where it is used
    },
    key=("path",),
    volatile=frozenset({"modified_ns"}),
)

DATASET_SPLIT = TableSpec(
    "dataset_split",
    "A row a photo used: train, val or test, and the rule that put it there.",
    {
        "image_id": STRING,
        "path": STRING,
        "label": STRING,
        "group_id": STRING,
        "split": STRING,
        "rule": STRING,
    },
    key=("image_id",),
)

EVALUATION_AUDIT = TableSpec(
    "evaluation_audit",
    "A row a test photo and model: what it is, what the model said, how sure it was.",
    {
        "model_version": STRING,
        "image_id": STRING,
        "path": STRING,
        "true_class": STRING,
        "predicted_class": STRING,
        "confidence": FLOAT,  # raw softmax, 0 to 1
        "calibrated_confidence": FLOAT,  # as in batch_predictions
        "guard_score": FLOAT,  # likeness to the known photos
        "correct": BOOL,
        "final_prediction": STRING,
        **TOP3_COLUMNS,
    },
    key=("model_version", "image_id"),
)

FEATURE_COLUMNS = {
    "image_id": STRING,
    "model_version": STRING,
    "preprocess_id": STRING,
    "logits": VECTOR,
    "embedding": VECTOR,  # backbone after fine-tuning, before the classifier
    "pretrained_embedding": VECTOR,  # the same place, before fine-tuning
    "whole_embedding": VECTOR,  # likewise, of the whole photo alone; null where it was not kept (0014)
    "close_embedding": VECTOR,  # as `embedding`, of the closest view alone; likewise
    "colours": VECTOR,  # share of each colour in the photo's middle; null in rows from before they were kept
    "printed": VECTOR,  # codes of what was read on the plate; null where the model does not ask for it
    "reason": STRING,  # why there are none; null where there are
}
VIEW_COLUMNS = ("whole_embedding", "close_embedding")
"""Embeddings of single views, which clusters are cut by."""
FEATURE_VECTORS = frozenset(name for name, kind in FEATURE_COLUMNS.items() if kind == VECTOR)

LABELLED_FEATURES = TableSpec(
    "labelled_features",
    "A row a labelled photo and model: embeddings and logits from one forward pass, colours and print.",
    {name: kind for name, kind in FEATURE_COLUMNS.items() if name not in VIEW_COLUMNS},
    key=("image_id", "model_version"),
    volatile=FEATURE_VECTORS - set(VIEW_COLUMNS),
)

KNOWN_EMBEDDINGS = TableSpec(
    "known_embeddings",
    "L2-normalised embeddings of the labelled photos under the champion.",
    {
        "image_id": STRING,
        "model_version": STRING,
        "label": STRING,
        "split": STRING,
        "embedding": VECTOR,
        "pretrained_embedding": VECTOR,
    },
    key=("image_id",),
    volatile=frozenset({"embedding", "pretrained_embedding"}),
)

DROPS = TableSpec(
    "drops",
    "A row a spreadsheet that was ever dropped: its name in the reports, and whether it could be read.",
    {
        "drop": STRING,
        "file_name": STRING,
        "sha256": STRING,
        "bytes": INT,
        "sheets": STRING,
        "url_columns": STRING,
        "rows": INT,
        "refused_rows": INT,
        "read_as": STRING,  # version of the reader and the settings it read with; another one reads the file again
        "status": STRING,  # read or refused
        "reason": STRING,
    },
    key=("drop",),
)

DROP_ROWS = TableSpec(
    "drop_rows",
    "A row a URL of a spreadsheet, in order, with the sheet's other columns; refused rows with the reason.",
    {
        "drop": STRING,
        "position": INT,  # order within the drop, from 0
        "sheet": STRING,
        "row_number": INT,  # as the spreadsheet program shows it, from 1
        "image_url": STRING,
        "other_columns": STRING,  # JSON object, header to text, in the sheet's order
        "reason": STRING,  # why the row was refused; null where the URL is fetched
    },
    key=("drop", "position"),
)

URL_IMAGES = TableSpec(
    "url_images",
    "A row a URL: what came of fetching it.",
    {
        "image_url": STRING,
        "outcome": STRING,  # ok, not_found, forbidden, timeout, too_large, not_an_image, truncated, ...
        "image_id": STRING,
        "bytes": INT,
        "width": INT,
        "height": INT,
        "format": STRING,
        **QUALITY_COLUMNS,
        "notes": STRING,  # what was unusual about the file: animated, turned by EXIF, CMYK, ...
        "etag": STRING,
        "last_modified": STRING,
        "attempts": INT,
        "seconds": FLOAT,
        "fetched_at": STRING,
        "reason": STRING,
    },
    key=("image_url",),
    volatile=frozenset({"notes", "etag", "last_modified", "attempts", "seconds", "fetched_at", "reason"}),
)

IMAGE_FEATURES = TableSpec(
    "image_features",
    "A row a photo and model: embeddings and logits from one forward pass, colours and print.",
    FEATURE_COLUMNS,
    key=("image_id", "model_version"),
    volatile=FEATURE_VECTORS,
)

BATCH_PREDICTIONS = TableSpec(
    "batch_predictions",
    "A row a drop row: top 3 with confidences (raw softmax, 0 to 1), final label, which rule decided and why.",
    {
        "drop": STRING,
        "position": INT,
        "sheet": STRING,
        "row_number": INT,
        "image_url": STRING,
        "image_id": STRING,
        "model_version": STRING,
        "final_prediction": STRING,  # a class, UNKNOWN, DARK or ERROR
        **TOP3_COLUMNS,
        "brightness": FLOAT,
        "contrast": FLOAT,
        "green_ratio": FLOAT,
        "photo_notes": STRING,  # what was unusual about the file: animated, turned by EXIF, CMYK, ...
        # Chance that the top 1 is right if the photo is of a known type, 0 to 1; at most 0.9 where named but not sure.
        "calibrated_confidence": FLOAT,
        "guard_score": FLOAT,  # likeness to the known photos: a sum of scores, 0 is a typical known photo
        "nearest_known": STRING,  # image_id of the most similar labelled photo
        "nearest_known_class": STRING,
        "rule": STRING,  # accepted, threshold, guard, dark, error
        "reason": STRING,
    },
    key=("drop", "position"),
)

UNKNOWN_EMBEDDINGS = TableSpec(
    "unknown_embeddings",
    "Embedding vectors of the UNKNOWN photos, a row a photo.",
    {
        "image_id": STRING,
        "model_version": STRING,
        "embedding": VECTOR,
        "pretrained_embedding": VECTOR,
        "whole_embedding": VECTOR,
        "close_embedding": VECTOR,
        "single_views": BOOL,  # whether the last two are there
    },
    key=("image_id",),
    volatile=frozenset({"embedding", "pretrained_embedding", *VIEW_COLUMNS}),
)

UNKNOWN_METADATA = TableSpec(
    "unknown_metadata",
    "What is known of each UNKNOWN photo: where it came from and what the model thought.",
    {
        "image_id": STRING,
        "image_url": STRING,  # the first URL it came from
        "model_version": STRING,
        "final_prediction": STRING,
        **TOP3_COLUMNS,
        "reason": STRING,
    },
    key=("image_id",),
)

UNKNOWN_CLUSTERS = TableSpec(
    "unknown_clusters",
    "Cluster of each UNKNOWN photo; -1 is noise.",
    {
        "image_id": STRING,
        "cluster_id": INT,
        "previous_cluster_id": INT,  # before the set or the model changed; null for a photo that was not there
        "membership": FLOAT,  # HDBSCAN's probability, 0 to 1
        "same_meter": STRING,  # photos that show one physical meter share it
        "perceptual_hash": STRING,  # null where the photo's file is lost
        "settled": BOOL,  # in the cluster since it was formed; false where it joined later
        "found_with": STRING,  # method, model, smallest cluster and seed; others cluster anew
        "revision": INT,  # the last revision of cluster_events that is in this table
    },
    key=("image_id",),
    volatile=frozenset({"perceptual_hash", "revision"}),
)

CLUSTER_SUMMARY = TableSpec(
    "cluster_summary",
    "A row a cluster, noise included.",
    {
        "cluster_id": INT,
        "count": INT,
        "meters": INT,  # different physical meters among them, as far as near-duplicates tell
        "meter_share": FLOAT,  # share that looks like meters rather than junk; null without a model to compare with
        "mean_membership": FLOAT,
        "top1_class": STRING,  # most frequent top-1 class of its members
        "top1_share": FLOAT,  # share of members with that class
        "mean_top1_confidence": FLOAT,
        "representative": STRING,  # image_id nearest the centre; null for noise
    },
    key=("cluster_id",),
)

CLUSTER_EVENTS = TableSpec(
    "cluster_events",
    "What became of the clusters: new, kept, split, merged, gone; appended to, never rewritten.",
    {
        "revision": INT,  # counts the clusterings that changed something, from 1
        "cluster_id": INT,
        "event": STRING,  # kept: it won or lost photos; a cluster with the same photos as before has no row
        "from_clusters": STRING,  # comma-separated ids it took photos from; empty where none
        "count": INT,  # photos it has now
    },
    key=("revision", "cluster_id"),
)

UNKNOWN_MAP = TableSpec(
    "unknown_map",
    "Place of each UNKNOWN photo on a plane where photos that look alike are near; no unit.",
    {"image_id": STRING, "x": FLOAT, "y": FLOAT},
    key=("image_id",),
)

ALL_TABLES = (
    IMAGE_INVENTORY,
    DATASET_SPLIT,
    EVALUATION_AUDIT,
    LABELLED_FEATURES,
    KNOWN_EMBEDDINGS,
    DROPS,
    DROP_ROWS,
    URL_IMAGES,
    IMAGE_FEATURES,
    BATCH_PREDICTIONS,
    UNKNOWN_EMBEDDINGS,
    UNKNOWN_METADATA,
    UNKNOWN_CLUSTERS,
    CLUSTER_SUMMARY,
    CLUSTER_EVENTS,
    UNKNOWN_MAP,
)
