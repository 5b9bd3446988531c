"""The photos in review as a spreadsheet: undecided ones with an empty class to fill in, decided ones with theirs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from meter_pipeline.errors import MeterError
from meter_pipeline.labels import NOISE, Action
from meter_pipeline.review.overview import unknown_ids
from meter_pipeline.review.reviewed_images import current_state
from meter_pipeline.review.state import State
from meter_pipeline.storage.csv_cells import Cell, csv_bytes
from meter_pipeline.storage.files import write_bytes
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, UNKNOWN_CLUSTERS
from meter_pipeline.storage.xlsx import workbook_bytes

DECISION_COLUMN = "decision_id"
REVIEW_COLUMNS = (
    "image_url",
    "image_id",
    "cluster_id",
    "class",
    "by",
    "at",
    "disputed",
    DECISION_COLUMN,
    "top1_class",
    "top1_confidence",
)
"""Of the exported sheet; `class` is a folder name or junk, the confidence is in percent."""
_DECIMALS = {"top1_confidence": 2}


def export_review(layout: Layout, path: Path, *, overwrite: bool = False) -> int:
    """Write the photos in review to a CSV or XLSX file, and return how many there are.

    Args:
        layout: the data directory.
        path: the file.
        overwrite: whether it may take the place of one that is there, in which a person may have filled in classes.

    Raises:
        MeterError: the file is there already, or is neither of the two.
        StorageError: the disk is full or not ours to write.
    """
    kind = path.suffix.lower()
    if kind not in (".csv", ".xlsx"):
        raise MeterError("The file has to end in .csv or .xlsx.", where=path)
    if path.exists() and not overwrite:
        raise MeterError(
            "The file is there already.", where=path, fix="Choose another name, or overwrite it: --overwrite"
        )
    table = review_rows(layout)
    if kind == ".csv":
        write_bytes(path, csv_bytes(REVIEW_COLUMNS, table, decimals=_DECIMALS))
    else:
        write_bytes(path, workbook_bytes(REVIEW_COLUMNS, table, sheet_name="review"))
    return len(table)


def review_rows(layout: Layout) -> list[list[Cell]]:
    """Return one row of cells per photo in review, as of now: by cluster, noise after these, decided photos last."""
    state = current_state(layout)
    clusters = layout.lake.read(UNKNOWN_CLUSTERS, ["image_id", "cluster_id"])
    cluster_of = dict(zip(clusters["image_id"].to_pylist(), clusters["cluster_id"].to_pylist(), strict=True))
    decided = {image_id for image_id, word in state.words.items() if word.decided}
    image_ids = sorted(cluster_of.keys() | unknown_ids(layout) | decided)
    predictions = _first_predictions(layout, image_ids)
    rows = [_row(image_id, cluster_of.get(image_id), state, predictions.get(image_id, {})) for image_id in image_ids]
    return sorted(rows, key=_order)


def _first_predictions(layout: Layout, image_ids: list[str]) -> dict[str, dict[str, object]]:
    columns = ["image_id", "image_url", "top1_class", "top1_confidence", "drop", "position"]
    wanted = pc.field("image_id").isin(pa.array(image_ids, pa.string()))
    rows = layout.lake.frame(BATCH_PREDICTIONS, columns, where=wanted).sort_values(["drop", "position"])
    first = rows.drop_duplicates("image_id")
    return {str(row["image_id"]): row for row in first.to_dict("records")}  # type: ignore[misc]


def _row(image_id: str, cluster_id: int | None, state: State, prediction: dict[str, object]) -> list[Cell]:
    word = state.words.get(image_id)
    said: list[Cell] = [None, None, None, None, None]
    if word is not None and word.decided:
        label = Action.JUNK.value if word.label is None else word.label
        at = word.decision.at.isoformat(timespec="seconds")
        said = [label, word.decision.by, at, "TRUE" if word.disputed else None, word.decision.decision_id]
    confidence = prediction.get("top1_confidence")
    return [
        _text(prediction.get("image_url")),
        image_id,
        cluster_id,
        *said,
        _text(prediction.get("top1_class")),
        round(100 * confidence, 2) if isinstance(confidence, float) and not pd.isna(confidence) else None,
    ]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _order(row: list[Cell]) -> tuple[bool, bool, int, str]:
    """Sort undecided photos before decided ones, and clusters by number before noise and what is in no clustering."""
    _, image_id, cluster_id, label, *_ = row
    number = cluster_id if isinstance(cluster_id, int) else NOISE
    return label is not None, number == NOISE, number, str(image_id)
