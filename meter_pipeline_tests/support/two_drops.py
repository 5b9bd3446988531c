"""Tables as `meter update` leaves them after two drops, written down row by row: for what browses them."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import (
    BATCH_PREDICTIONS,
    DROP_ROWS,
    DROPS,
    FEATURE_VECTORS,
    IMAGE_FEATURES,
    UNKNOWN_CLUSTERS,
    URL_IMAGES,
    TableSpec,
)
from meter_pipeline_tests.support.model_cards import write_card

LABELS = (("BLUE", "accepted", 0.9, 0.05), ("BLUE", "accepted", 0.6, 0.39), ("UNKNOWN", "threshold", 0.4, 0.3))

JUNE_COLUMNS = {"url_columns": "Photo", "passed_over": "Map (links to maps)"}


def write_two_drops(layout: Layout) -> None:
    """June has a sure, a doubtful and an UNKNOWN row, one without a photo and one that waits; July was refused."""
    lake = layout.lake
    predictions, sheet, urls = [], [], []
    for position, (label, rule, first, second) in enumerate((*LABELS, ("ERROR", "error", None, None))):
        key = {"drop": "june", "position": position, "sheet": "S", "row_number": position + 2}
        url, image_id = f"https://host/{position}.jpg", None if rule == "error" else f"id{position}"
        top = {"top1_class": "BLUE", "top2_class": "GREY", "top1_confidence": first, "top2_confidence": second}
        decided = {"final_prediction": label, "rule": rule, "reason": "why", "model_version": "0001-x"}
        photo = {"image_url": url, "image_id": image_id, "brightness": 50.0 + position}
        predictions.append({**key, **(top if image_id else {}), **photo, **decided})
        cells = {"Account": f"=00{position}", "Remark": {1: "Größe", 3: 'Say "x" \\ y'}.get(position, "<b>*x*</b>")}
        others = {"other_columns": json.dumps(cells, ensure_ascii=False), "cells_position": position}
        sheet.append({**key, "image_url": url, **others})
        url_image = {"image_url": url, "outcome": "ok" if image_id else "not_found", "image_id": image_id}
        urls.append({**url_image, "sharpness": 100.0 * position, "brightness": 50.0 + position})
    lake.replace(BATCH_PREDICTIONS, frame(BATCH_PREDICTIONS, predictions))
    lake.replace(DROP_ROWS, frame(DROP_ROWS, sheet))
    lake.replace(URL_IMAGES, frame(URL_IMAGES, urls))
    lake.replace(
        DROPS,
        frame(
            DROPS,
            [
                {"drop": "june", "file_name": "june.xlsx", "status": "read", "rows": 5, **JUNE_COLUMNS},
                {"drop": "july", "file_name": "july.xlsx", "status": "refused", "reason": "encrypted", "rows": 0},
            ],
        ),
    )
    lake.replace(UNKNOWN_CLUSTERS, frame(UNKNOWN_CLUSTERS, [{"image_id": "id2", "cluster_id": 7, "revision": 1}]))
    vectors = {**dict.fromkeys(FEATURE_VECTORS), "logits": [2.0, 1.0]}
    features = {"image_id": "id2", "model_version": "0001-x", **vectors}
    lake.replace(IMAGE_FEATURES, frame(IMAGE_FEATURES, [features]))
    write_card(layout, "0001-x", ["GREY", "BLUE"])


def frame(spec: TableSpec, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows with all columns of a table."""
    return pd.DataFrame(rows).reindex(columns=list(spec.columns))
