"""The schema of every table in the lake, written down once: columns with their meaning, key, data version.

The descriptions are for people: the Dagster UI shows them under Columns, the warehouse as comments. One file holds all
tables, long as it is, so that a column and those of the same name in other tables are found in one place.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

STRING, INT, FLOAT, BOOL = pa.string(), pa.int64(), pa.float64(), pa.bool_()
VECTOR = pa.list_(pa.float32())


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        type: its Arrow type; every column may hold nulls.
        description: what it is, with unit and range, for people who read the UI or the warehouse.
    """

    type: pa.DataType
    description: str


@dataclass(frozen=True)
class TableSpec:
    """A table: its name, columns, key, and the columns left out of its data version.

    Attributes:
        name: folder under `lake/`.
        description: a sentence for the UI and the warehouse.
        columns: the columns by name, in order.
        key: columns that identify a row; no two rows have the same values in all of them.
        volatile: columns whose values may differ between two runs that did the same (times, attempts, and the float
            vectors that follow from the key); they are stored but make no new data version.
        parted_by: the column by which rows are read, made and replaced together; None: the table has no parts.
    """

    name: str
    description: str
    columns: dict[str, Column]
    key: tuple[str, ...]
    volatile: frozenset[str] = field(default_factory=frozenset)
    parted_by: str | None = None

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema."""
        return pa.schema([(name, column.type) for name, column in self.columns.items()])

    @property
    def hashed(self) -> list[str]:
        """The columns that make the data version."""
        return [name for name in self.columns if name not in self.volatile]


IMAGE_ID = Column(STRING, "Id of the photo: the SHA-256 of its bytes, in hex.")
MODEL_VERSION = Column(STRING, "Version of the model: a counter and a hash, e.g. 0001-4e7e5ada.")
LABEL = Column(STRING, "Class that the photo is labelled with: the name of its folder in data/raw.")
SPLIT = Column(STRING, "Part of the data set that the photo is in: train, val or test.")
FINAL_PREDICTION = Column(STRING, "Final label: a class, UNKNOWN, DARK (too dark to judge) or ERROR (no photo).")
CALIBRATED_CONFIDENCE = Column(
    FLOAT,
    "Chance that the top 1 is right if the photo shows a known type, 0 to 1; at most 0.9 where the photo is named"
    " although it is not quite like the known ones.",
)
GUARD_SCORE = Column(
    FLOAT,
    "Likeness to the known photos: a sum of standardised scores, without unit; 0 is a typical known photo, lower values"
    " are less alike.",
)
DROP = Column(STRING, "Name of the drop: its file's name without the ending, made unique.")
POSITION = Column(INT, "Place of the row within its drop, from 0.")
SHEET = Column(STRING, "Sheet that the row is on; empty for a text file.")
ROW_NUMBER = Column(INT, "Number of the row as the spreadsheet program shows it, from 1.")
PHOTO_BYTES = Column(INT, "Size of the photo's file in bytes; null where no photo came.")
PHOTO_NOTES = Column(
    STRING, "What was unusual about the file: animated, turned by EXIF, CMYK, ...; null where nothing was."
)
PERCEPTUAL_HASH = Column(
    STRING,
    "Perceptual hash of the photo: its kind, a colon, hex digits (none for a blank photo). Near-duplicates differ in at"
    " most 34 of 228 bits. Null where the file could not be decoded.",
)

SIZE_COLUMNS = {
    "width": Column(INT, "Width of the upright photo in pixels; null where it could not be decoded."),
    "height": Column(INT, "Height of the upright photo in pixels; null where it could not be decoded."),
    "format": Column(STRING, "Format by the file's bytes: JPEG, MPO, PNG, WEBP, BMP, ...; null where not decoded."),
}

QUALITY_COLUMNS = {
    "brightness": Column(FLOAT, "Mean luma of the photo, 0 (black) to 255 (white)."),
    "contrast": Column(FLOAT, "Standard deviation of the luma, 0 (one grey) to 127.5."),
    "sharpness": Column(FLOAT, "Variance of the Laplacian of the luma, from 0; higher is sharper."),
    "glare": Column(FLOAT, "Share of blown-out pixels (luma from 250), 0 to 1."),
    "green_ratio": Column(FLOAT, "Share of clearly green pixels (LCD backlights, plants), 0 to 1."),
}
"""Measured on the photo at most 384 pixels large; null where it could not be decoded."""

TOP3_COLUMNS = {
    "top1_class": Column(STRING, "Most likely class; null where no model saw the photo."),
    "top1_confidence": Column(FLOAT, "Raw softmax of the most likely class, 0 to 1."),
    "top2_class": Column(STRING, "Second most likely class; null where the model knows only one."),
    "top2_confidence": Column(FLOAT, "Raw softmax of the second most likely class, 0 to 1."),
    "top3_class": Column(STRING, "Third most likely class; null where the model knows only two."),
    "top3_confidence": Column(FLOAT, "Raw softmax of the third most likely class, 0 to 1."),
}

DECISION_COLUMNS = (
    "image_id",
    "final_prediction",
    *TOP3_COLUMNS,
    "calibrated_confidence",
    "guard_score",
    "nearest_known",
    "nearest_known_class",
    "rule",
    "reason",
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
    "One row per labelled file: what it is, how good it is, which near-duplicates it has, or why it was refused.",
    {
        "path": Column(STRING, "Path of the file below data/raw, with forward slashes, e.g. LT2/IMG_1.jpg."),
        "label": Column(
            STRING,
            "Class: the first folder of the path; null for a file that is in no folder. Folders whose names are one"
            " class (they differ by case, blanks or Unicode form) have one label.",
        ),
        "origin": Column(STRING, "How the file came here: folder (a person put it there) or promoted (by a review)."),
        "image_id": Column(STRING, "Id of the photo: the SHA-256 of its bytes, in hex; null where it was not read."),
        "bytes": Column(INT, "Size of the file in bytes."),
        "modified_ns": Column(INT, "When the file was last written, in nanoseconds since 1970-01-01 UTC."),
        **SIZE_COLUMNS,
        **QUALITY_COLUMNS,
        "perceptual_hash": PERCEPTUAL_HASH,
        "group_id": Column(
            STRING, "Shared by near-duplicates and by photos of one physical meter; null where the file was refused."
        ),
        "reason": Column(STRING, "Why the file was refused; null where it is used."),
    },
    key=("path",),
    volatile=frozenset({"modified_ns"}),
)

DATASET_SPLIT = TableSpec(
    "dataset_split",
    "One row per photo of the data set: train, val or test, and the rule that put it there.",
    {
        "image_id": IMAGE_ID,
        "path": Column(STRING, "Path of the photo below data/raw, with forward slashes."),
        "label": LABEL,
        "group_id": Column(STRING, "Group of near-duplicates (see image_inventory); a group is never in two splits."),
        "split": SPLIT,
        "rule": Column(STRING, "Rule that put the photo there: how large its class is, and what that is split into."),
    },
    key=("image_id",),
)

EVALUATION_AUDIT = TableSpec(
    "evaluation_audit",
    "One row per test photo and model: what it is, what the model said, how sure it was.",
    {
        "model_version": MODEL_VERSION,
        "image_id": IMAGE_ID,
        "path": Column(STRING, "Path of the photo below data/raw, with forward slashes."),
        "true_class": LABEL,
        "predicted_class": Column(STRING, "Most likely class by the model, before any rule makes it UNKNOWN."),
        "confidence": Column(FLOAT, "Raw softmax of the predicted class, 0 to 1."),
        "calibrated_confidence": CALIBRATED_CONFIDENCE,
        "guard_score": GUARD_SCORE,
        "correct": Column(BOOL, "Whether the predicted class is the true one."),
        "final_prediction": Column(STRING, "Final label: a class or UNKNOWN."),
        **TOP3_COLUMNS,
    },
    key=("model_version", "image_id"),
)

FEATURE_COLUMNS = {
    "image_id": IMAGE_ID,
    "model_version": MODEL_VERSION,
    "preprocess_id": Column(STRING, "Hash of the steps that make a photo the network's input."),
    "logits": Column(VECTOR, "One number per class, in the order of the model's classes, before softmax."),
    "embedding": Column(VECTOR, "Output of the fine-tuned backbone before the classifier, averaged over the views."),
    "pretrained_embedding": Column(
        VECTOR, "Output of the backbone before fine-tuning, at the same place, averaged over the views."
    ),
    "colours": Column(
        VECTOR,
        "Share of each colour in the middle of the photo: grey, 12 pale hues, 12 strong hues; they add up to 1.",
    ),
    "printed": Column(
        VECTOR, "Codes of what was read on the meter's plate; null where the model does not read plates."
    ),
    "views": Column(
        INT, "Views that the photo was looked at in: 1 where the view of the whole was enough; null where it failed."
    ),
    "reason": Column(STRING, "Why the photo has no features; null where it has."),
}
FEATURE_VECTORS = frozenset(name for name, column in FEATURE_COLUMNS.items() if column.type == VECTOR)

LABELLED_FEATURES = TableSpec(
    "labelled_features",
    "One row per labelled photo and model: embeddings and logits from one forward pass, colours and print.",
    FEATURE_COLUMNS,
    key=("image_id", "model_version"),
    volatile=FEATURE_VECTORS,
)

KNOWN_EMBEDDINGS = TableSpec(
    "known_embeddings",
    "One row per labelled photo: its embeddings under the champion, L2-normalised.",
    {
        "image_id": IMAGE_ID,
        "model_version": MODEL_VERSION,
        "label": LABEL,
        "split": SPLIT,
        "embedding": Column(VECTOR, "Output of the fine-tuned backbone before the classifier, scaled to length 1."),
        "pretrained_embedding": Column(VECTOR, "Output of the backbone before fine-tuning, scaled to length 1."),
    },
    key=("image_id",),
    volatile=frozenset({"embedding", "pretrained_embedding"}),
)

DROPS = TableSpec(
    "drops",
    "One row per spreadsheet that was ever dropped: its name in the reports, and whether it could be read.",
    {
        "drop": DROP,
        "file_name": Column(STRING, "Name of the file in data/drops, with its folder in there: May/inside.csv."),
        "sha256": Column(STRING, "SHA-256 of the file's bytes, in hex; null where it could not be opened."),
        "bytes": Column(INT, "Size of the file in bytes."),
        "sheets": Column(STRING, "Sheets that rows came from, then sheets passed over and why; comma-separated."),
        "url_columns": Column(
            STRING,
            "Headers of the columns that hold the URLs, comma-separated; sheet!header if there are several sheets.",
        ),
        "passed_over": Column(
            STRING,
            "Columns with URLs that were not taken, each with the reason, comma-separated; null if there are none.",
        ),
        "rows": Column(INT, "Number of rows in drop_rows, refused ones included."),
        "refused_rows": Column(INT, "Number of rows among them that were refused."),
        "read_as": Column(
            STRING,
            "Version of the reader and the settings it read with, as JSON; if they change, the file is read again.",
        ),
        "status": Column(STRING, "Whether the file could be read: read or refused."),
        "reason": Column(STRING, "Why the file was refused; null where it was read."),
    },
    key=("drop",),
)

DROP_ROWS = TableSpec(
    "drop_rows",
    "One row per URL of a spreadsheet, in order, with the sheet's other columns; refused rows with the reason.",
    {
        "drop": DROP,
        "position": POSITION,
        "sheet": SHEET,
        "row_number": ROW_NUMBER,
        "image_url": Column(STRING, "URL of the photo, cleaned; where the row was refused, what stood in the cell."),
        "cells_position": Column(
            INT,
            "Position of the row, in the same drop, whose other_columns are this row's too: its own, except where a"
            " row of the sheet holds several URLs.",
        ),
        "other_columns": Column(
            STRING,
            "The sheet's other columns, as a JSON object from header to text, in order; null where they stand at"
            " cells_position.",
        ),
        "reason": Column(STRING, "Why the row was refused; null where its URL is fetched."),
    },
    key=("drop", "position"),
    parted_by="drop",
)

URL_IMAGES = TableSpec(
    "url_images",
    "One row per URL: the outcome of fetching it.",
    {
        "image_url": Column(STRING, "URL of the photo, cleaned."),
        "outcome": Column(
            STRING, "ok, or why no photo came: not_found, forbidden, timeout, too_large, not_an_image, truncated, ..."
        ),
        "image_id": Column(STRING, "Id of the photo: the SHA-256 of its bytes, in hex; null where no photo came."),
        "bytes": PHOTO_BYTES,
        **SIZE_COLUMNS,
        **QUALITY_COLUMNS,
        "notes": PHOTO_NOTES,
        "etag": Column(STRING, "Header ETag of the answer: the server's mark of this version; null where none came."),
        "last_modified": Column(STRING, "Header Last-Modified of the answer; null where none came."),
        "attempts": Column(INT, "Number of requests made, the first included."),
        "seconds": Column(FLOAT, "Seconds from the first request to the last byte, waiting included."),
        "fetched_at": Column(STRING, "When it was fetched: date and time in ISO 8601, UTC."),
        "reason": Column(
            STRING,
            "Why no photo came, in a sentence; null where one did, unless its file is lost since and its URL does not"
            " give it any more.",
        ),
    },
    key=("image_url",),
    volatile=frozenset({"notes", "etag", "last_modified", "attempts", "seconds", "fetched_at", "reason"}),
)

IMAGE_FEATURES = TableSpec(
    "image_features",
    "One row per photo and model: embeddings and logits from one forward pass, colours and print.",
    FEATURE_COLUMNS,
    key=("image_id", "model_version"),
    volatile=FEATURE_VECTORS,
)

BATCH_PREDICTIONS = TableSpec(
    "batch_predictions",
    "One row per drop row: top 3 with confidences (raw softmax, 0 to 1), final label, which rule decided and why.",
    {
        "drop": DROP,
        "position": POSITION,
        "sheet": SHEET,
        "row_number": ROW_NUMBER,
        "image_url": Column(STRING, "URL of the photo; where the row was refused, what stood in the cell."),
        "image_id": Column(STRING, "Id of the photo: the SHA-256 of its bytes, in hex; null where there is no photo."),
        "model_version": Column(STRING, "Version of the model that decided; null where the final label is ERROR."),
        "final_prediction": FINAL_PREDICTION,
        **TOP3_COLUMNS,
        "brightness": QUALITY_COLUMNS["brightness"],
        "contrast": QUALITY_COLUMNS["contrast"],
        "green_ratio": QUALITY_COLUMNS["green_ratio"],
        "photo_notes": PHOTO_NOTES,
        "calibrated_confidence": CALIBRATED_CONFIDENCE,
        "guard_score": GUARD_SCORE,
        "nearest_known": Column(STRING, "image_id of the labelled photo that is most similar to this one."),
        "nearest_known_class": Column(STRING, "Class of the labelled photo that is most similar to this one."),
        "rule": Column(
            STRING,
            "Rule that decided: accepted (the top 1 stands), threshold (UNKNOWN: low confidence), guard (UNKNOWN: not"
            " like the known photos), dark, error.",
        ),
        "reason": Column(STRING, "Why the final label is what it is, in a sentence."),
    },
    key=("drop", "position"),
    parted_by="drop",
)

UNKNOWN_EMBEDDINGS = TableSpec(
    "unknown_embeddings",
    "One row per UNKNOWN photo that nobody decided on: its embedding vectors, and what was read on its plate.",
    {
        "image_id": IMAGE_ID,
        "model_version": MODEL_VERSION,
        "embedding": FEATURE_COLUMNS["embedding"],
        "pretrained_embedding": FEATURE_COLUMNS["pretrained_embedding"],
        "printed": Column(
            VECTOR, "Codes of what was read on the meter's plate, then -1; only -1 where nothing was read."
        ),
        "print_hash": Column(
            STRING, "Hash of the codes in printed, so that other print is another data version; null for no code."
        ),
    },
    key=("image_id",),
    volatile=frozenset({"embedding", "pretrained_embedding", "printed"}),
)

UNKNOWN_METADATA = TableSpec(
    "unknown_metadata",
    "One row per UNKNOWN photo that nobody decided on: where it came from and what the model thought.",
    {
        "image_id": IMAGE_ID,
        "image_url": Column(STRING, "First URL that the photo came from."),
        "model_version": MODEL_VERSION,
        "final_prediction": Column(STRING, "Final label: UNKNOWN."),
        **TOP3_COLUMNS,
        "reason": Column(STRING, "Why the photo is UNKNOWN, in a sentence."),
    },
    key=("image_id",),
)

UNKNOWN_CLUSTERS = TableSpec(
    "unknown_clusters",
    "One row per UNKNOWN photo: its cluster; -1 is noise.",
    {
        "image_id": IMAGE_ID,
        "cluster_id": Column(INT, "Number of the photo's cluster, from 0; -1 is noise: in no cluster."),
        "previous_cluster_id": Column(
            INT, "Its cluster before the photos or the model last changed; null for a photo that is new."
        ),
        "membership": Column(FLOAT, "Similarity of the photo to the middle of its cluster, 0 (noise) to 1."),
        "same_meter": Column(STRING, "Shared by photos that show one physical meter."),
        "perceptual_hash": Column(
            STRING, "Perceptual hash of the photo, as in image_inventory; null where its file is lost."
        ),
        "settled": Column(
            BOOL, "Whether it has been in its cluster since that was formed, rather than joined it later."
        ),
        "constrained": Column(BOOL, "Whether a person's word (group, exclude) put it where it is, or keeps it out."),
        "found_with": Column(
            STRING, "Method, model and smallest cluster size; if one changes, all photos are clustered again."
        ),
        "revision": Column(INT, "Last revision of cluster_events that is in this table, from 1."),
    },
    key=("image_id",),
    volatile=frozenset({"perceptual_hash", "revision"}),
)

UNKNOWN_LOOKS = TableSpec(
    "unknown_looks",
    "One row per clustered photo: the vector that clusters compare it by; for look-alikes on the review page.",
    {
        "image_id": IMAGE_ID,
        "look": Column(VECTOR, "What the photo is compared by, scaled to length 1 (0016)."),
    },
    key=("image_id",),
    volatile=frozenset({"look"}),
)

CLUSTER_SUMMARY = TableSpec(
    "cluster_summary",
    "One row per cluster, noise included.",
    {
        "cluster_id": Column(INT, "Number of the cluster, from 0; -1 is noise: the photos in no cluster."),
        "count": Column(INT, "Number of photos."),
        "meters": Column(INT, "Number of different physical meters among them, as far as near-duplicates tell."),
        "meter_share": Column(
            FLOAT,
            "Share of photos that look like meters rather than junk, 0 to 1; null without a model to compare with.",
        ),
        "sureness": Column(
            FLOAT, "Chance that nine in ten of its photos show one design, 0 to 1 (0016); null for noise."
        ),
        "mean_membership": Column(FLOAT, "Mean of the photos' membership, 0 to 1."),
        "top1_class": Column(STRING, "Most frequent top-1 class of the photos."),
        "top1_share": Column(FLOAT, "Share of photos with that top-1 class, 0 to 1."),
        "mean_top1_confidence": Column(FLOAT, "Mean top-1 confidence of the photos (raw softmax), 0 to 1."),
        "representative": Column(STRING, "image_id of the photo nearest the cluster's centre; null for noise."),
    },
    key=("cluster_id",),
)

CLUSTER_EVENTS = TableSpec(
    "cluster_events",
    "One row per change of a cluster: new, kept, split, merged, gone; rows are added, never rewritten.",
    {
        "revision": Column(
            INT, "Number of the clustering that made the change, from 1; those without a change are not counted."
        ),
        "cluster_id": Column(INT, "Number of the cluster."),
        "event": Column(
            STRING,
            "new, kept (won or lost photos), split (made from a part of others), merged (took in others) or gone. A"
            " cluster with the same photos as before has no row.",
        ),
        "from_clusters": Column(STRING, "Numbers of the clusters it took photos from, comma-separated; empty if none."),
        "count": Column(INT, "Number of photos in it after the change."),
    },
    key=("revision", "cluster_id"),
)

UNKNOWN_MAP = TableSpec(
    "unknown_map",
    "One row per UNKNOWN photo: its place on a plane where photos that look alike are near.",
    {
        "image_id": IMAGE_ID,
        "x": Column(FLOAT, "Horizontal place on the map; without unit."),
        "y": Column(FLOAT, "Vertical place on the map; without unit."),
        "model_version": MODEL_VERSION,
        "placed_with": Column(
            STRING,
            "Method, seed and number of the photos that were laid out together; another one places all anew. `beside`:"
            " came later, and was put beside the three of them that it looks most like.",
        ),
        "print_hash": Column(STRING, "The photo's print_hash in unknown_embeddings when it was placed."),
    },
    key=("image_id",),
)

REVIEWED_IMAGES = TableSpec(
    "reviewed_images",
    "One row per photo that people decided on: its live decision, by whom and when.",
    {
        "image_id": IMAGE_ID,
        "action": Column(STRING, "The last live word on it: name, junk, exclude, group or later."),
        "label": Column(STRING, "Class that it was named, as its folder in data/raw is called; null unless named."),
        "by": Column(STRING, "Who decided; empty where it was not said."),
        "at": Column(STRING, "When: date and time in ISO 8601, UTC."),
        "decision_id": Column(STRING, "The decision that this is from."),
        "disputed": Column(BOOL, "Whether somebody else named it differently, and neither knew of the other."),
        "disputed_labels": Column(STRING, "The other names, as a JSON list; null where nothing is disputed."),
        "not_labels": Column(STRING, "Classes that a person said it is not, as a JSON list; null where there is none."),
    },
    key=("image_id",),
)

REVIEW_CONSTRAINTS = TableSpec(
    "review_constraints",
    "One row per constraint and photo: which photos belong together, and which do not, by a person's word.",
    {
        "constraint_id": Column(STRING, "Number of the constraint, which its photos share; starts with its kind."),
        "kind": Column(STRING, "together, or apart: those that are out are in no cluster with those that are in."),
        "is_out": Column(BOOL, "Of kind apart: whether the photo is one that was taken out; false for together."),
        "image_id": IMAGE_ID,
    },
    key=("constraint_id", "image_id"),
)

PROMOTED_IMAGES = TableSpec(
    "promoted_images",
    "One row per photo that a person named: whether it lies in data/raw, and if not, why.",
    {
        "image_id": IMAGE_ID,
        "label": Column(STRING, "Class that it was named, as its folder in data/raw is called."),
        "decision_id": Column(STRING, "The decision that named it."),
        "status": Column(STRING, "promoted, disputed, labelled otherwise, missing or refused."),
        "path": Column(STRING, "Path below data/raw, with forward slashes; null unless promoted."),
        "reason": Column(STRING, "Why it is not promoted, or a note, in a sentence; null where nothing is special."),
        "same_meter": Column(STRING, "Shared by photos that show one physical meter; null unless promoted."),
        "perceptual_hash": PERCEPTUAL_HASH,
        "class_meters": Column(INT, "Different meters among the promoted photos of the class; null unless promoted."),
        "class_meters_needed": Column(
            INT,
            "Meters that the class needs to be learned; null where it has photos that were not promoted, so that it is"
            " learned anyway.",
        ),
    },
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
    UNKNOWN_LOOKS,
    CLUSTER_SUMMARY,
    CLUSTER_EVENTS,
    UNKNOWN_MAP,
    REVIEWED_IMAGES,
    REVIEW_CONSTRAINTS,
    PROMOTED_IMAGES,
)
