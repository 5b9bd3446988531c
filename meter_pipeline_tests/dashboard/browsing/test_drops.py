"""Rows of drops: counts, every filter, orders and pages, one row with all there is, the filtered rows as a file."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from openpyxl import load_workbook

from meter_pipeline.batches.prediction_exports import read_export
from meter_pipeline.dashboard.browsing.drops import (
    RowFilter,
    count_rows,
    export_rows,
    label_counts,
    list_drops,
    measure_ranges,
    open_row,
    page_of_rows,
    rows_of_photo,
)
from meter_pipeline.storage.files import write_json
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import (
    BATCH_PREDICTIONS,
    DROP_ROWS,
    DROPS,
    EXPORT_COLUMNS,
    FEATURE_VECTORS,
    IMAGE_FEATURES,
    UNKNOWN_CLUSTERS,
    URL_IMAGES,
    TableSpec,
)

LABELS = (("BLUE", "accepted", 0.9, 0.05), ("BLUE", "accepted", 0.6, 0.39), ("UNKNOWN", "threshold", 0.4, 0.3))


def frame(spec: TableSpec, rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows).reindex(columns=list(spec.columns))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """June has a sure, a doubtful and an UNKNOWN row and one without a photo; July was refused."""
    layout, lake = Layout(tmp_path), Layout(tmp_path).lake
    predictions, sheet, urls = [], [], []
    for position, (label, rule, first, second) in enumerate((*LABELS, ("ERROR", "error", None, None))):
        key = {"drop": "june", "position": position, "sheet": "S", "row_number": position + 2}
        url, image_id = f"https://host/{position}.jpg", None if rule == "error" else f"id{position}"
        top = {"top1_class": "BLUE", "top2_class": "GREY", "top1_confidence": first, "top2_confidence": second}
        predictions.append(
            {**key, **(top if image_id else {}), "image_url": url, "image_id": image_id, "final_prediction": label}
            | {"rule": rule, "reason": "why", "model_version": "0001-x", "brightness": 50.0 + position}
        )
        cells = {"Account": f"=00{position}", "Remark": {1: "Größe", 3: 'Say "x" \\ y'}.get(position, "<b>*x*</b>")}
        sheet.append({**key, "image_url": url, "other_columns": json.dumps(cells, ensure_ascii=False)})
        urls.append(
            {"image_url": url, "outcome": "ok" if image_id else "not_found", "image_id": image_id}
            | {"sharpness": 100.0 * position, "brightness": 50.0 + position}
        )
    lake.replace(BATCH_PREDICTIONS, frame(BATCH_PREDICTIONS, predictions))
    lake.replace(DROP_ROWS, frame(DROP_ROWS, sheet))
    lake.replace(URL_IMAGES, frame(URL_IMAGES, urls))
    lake.replace(
        DROPS,
        frame(
            DROPS,
            [
                {"drop": "june", "file_name": "june.xlsx", "status": "read", "rows": 5},
                {"drop": "july", "file_name": "july.xlsx", "status": "refused", "reason": "encrypted", "rows": 0},
            ],
        ),
    )
    lake.replace(UNKNOWN_CLUSTERS, frame(UNKNOWN_CLUSTERS, [{"image_id": "id2", "cluster_id": 7, "revision": 1}]))
    features = {"model_version": "0001-x", "logits": [2.0, 1.0]}
    features |= dict.fromkeys(name for name in FEATURE_VECTORS if name not in features)
    lake.replace(IMAGE_FEATURES, frame(IMAGE_FEATURES, [{"image_id": "id2", **features}]))
    write_json(layout.models / "0001-x" / "model.json", {"classes": ["GREY", "BLUE"]})
    return layout


def positions(layout: Layout, **wanted: Any) -> list[int]:
    rows = page_of_rows(layout, RowFilter(**wanted), page=0, size=100)
    assert count_rows(layout, RowFilter(**wanted)) == len(rows)
    return [row["position"] for row in rows]


def test_drops_are_counted_with_what_is_refused_and_what_waits(layout: Layout) -> None:
    july, june = list_drops(layout)
    assert (july["status"], july["reason"], july["rows"]) == ("refused", "encrypted", 0)
    counts = {name: june[name] for name in ("rows", "named", "unknown", "dark", "error", "waiting")}
    assert counts == {"rows": 5, "named": 2, "unknown": 1, "dark": 0, "error": 1, "waiting": 1}
    assert label_counts(layout, "june")[0] == {"label": "BLUE", "rows": 2}
    assert measure_ranges(layout)["sharpness"] == (0.0, 300.0)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [2, 1, 0, 3]),
        ({"order": "sure"}, [0, 1, 2, 3]),
        ({"order": "sheet"}, [0, 1, 2, 3]),
        ({"drop": "july"}, []),
        ({"labels": ("UNKNOWN", "ERROR")}, [2, 3]),
        ({"rules": ("threshold",)}, [2]),
        ({"confidence": (0.5, 1.0)}, [1, 0]),
        ({"confidence": (0.0, 0.5)}, [2]),
        ({"quality": {"sharpness": (50.0, 150.0)}}, [1]),
        ({"quality": {"brightness": (51.0, 52.0), "sharpness": (0.0, 150.0)}}, [1]),
        ({"search": "HOST/2"}, [2]),
        ({"search": "=001"}, [1]),
        ({"search": "GRÖSSE"}, []),
        ({"search": "GRÖß"}, [1]),
        ({"search": "%"}, []),
        ({"search": 'say "x" \\ y'}, [3]),
        ({"search": "account"}, []),
    ],
)
def test_filters_and_orders(layout: Layout, wanted: dict[str, Any], found: list[int]) -> None:
    assert positions(layout, **wanted) == found


def test_pages_together_are_all_rows_once(layout: Layout) -> None:
    pages = [page_of_rows(layout, RowFilter(), page=page, size=3) for page in range(2)]
    assert [row["position"] for page in pages for row in page] == [2, 1, 0, 3]


def test_a_measure_that_is_none_is_refused(layout: Layout) -> None:
    with pytest.raises(ValueError, match="no measure"):
        count_rows(layout, RowFilter(quality={"brightness; DROP TABLE x": (0, 1)}))


def test_an_opened_row_has_its_photo_scores_cells_and_cluster(layout: Layout) -> None:
    row = open_row(layout, "june", 2)
    assert row is not None
    assert row.sheet_cells == {"Account": "=002", "Remark": "<b>*x*</b>"}
    assert row.cluster_id == 7
    assert row.photo is not None
    assert row.photo["sharpness"] == 200.0
    assert [name for name, _ in row.scores] == ["GREY", "BLUE"]
    assert sum(share for _, share in row.scores) == pytest.approx(1)
    without = open_row(layout, "june", 3)
    assert without is not None
    assert (without.cluster_id, without.scores) == (None, [])
    assert open_row(layout, "june", 99) is None
    assert [row["position"] for row in rows_of_photo(layout, "id2")] == [2]


def test_filtered_rows_as_files_have_the_columns_of_a_report_and_run_no_formula(layout: Layout, tmp_path: Path) -> None:
    wanted = RowFilter(labels=("BLUE",))
    (tmp_path / "rows.csv").write_bytes(export_rows(layout, wanted, "csv"))
    assert "'=001" in (tmp_path / "rows.csv").read_text(encoding="utf-8-sig")
    rows = read_export(tmp_path / "rows.csv")
    assert list(rows.columns[: len(EXPORT_COLUMNS)]) == list(EXPORT_COLUMNS)
    assert rows["top1_confidence"].tolist() == ["60.00", "90.00"]
    assert rows["Account"].tolist() == ["=001", "=000"]
    book = load_workbook(io.BytesIO(export_rows(layout, wanted, "xlsx")))
    header, *body = book.worksheets[0].iter_rows(values_only=True)
    assert [row[header.index("Account")] for row in body] == ["=001", "=000"]
