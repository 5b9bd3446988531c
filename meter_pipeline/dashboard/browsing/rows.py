"""The rows of drops with their predictions: filters, orders, pages, one row opened, and a file of what is left."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from meter_pipeline.errors import WeightsError
from meter_pipeline.recognition.model_card import load_card
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.queries import Row, querying
from meter_pipeline.storage.tables import REVIEWED_IMAGES

TABLES = ("batch_predictions", "drop_rows", "url_images", "unknown_clusters", "reviewed_images")
"""What the functions here read; for caches."""
ORDERS = {
    "doubtful": 'p.top1_confidence IS NULL, p.top1_confidence - coalesce(p.top2_confidence, 0), p."drop", p.position',
    "sure": 'p.top1_confidence DESC NULLS LAST, p."drop", p.position',
    "sheet": 'p."drop", p.position',
}
"""By name: the most doubtful first (the smallest margin between the best two guesses; Scheffer et al., 2001), the
surest first, as in the sheet."""
MEASURES = ("brightness", "contrast", "sharpness", "glare", "green_ratio")
"""Measures of a photo that rows can be filtered by; see `quality`."""
_OF_THE_PREDICTION = frozenset({"brightness", "contrast", "green_ratio"})

CARRIER = "coalesce(r.cells_position, r.position)"
"""Position of the row that carries the other cells of `drop_rows AS r`."""


@dataclass(frozen=True)
class RowFilter:
    """Which rows, and in which order.

    Attributes:
        drop: the drop; all where None.
        labels: final predictions wanted; all where empty.
        rules: what decided (`labels.Rule`); all where empty.
        confidence: lowest and highest top-1 softmax, 0 to 1; a row without one is left out where this is narrower.
        quality: lowest and highest value by measure (`MEASURES`); a row without the measure is left out.
        search: text that the URL or one of the sheet's other cells holds, case-insensitive.
        order: one of `ORDERS`.
    """

    drop: str | None = None
    labels: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    confidence: tuple[float, float] = (0.0, 1.0)
    quality: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    search: str = ""
    order: str = "doubtful"


@dataclass(frozen=True)
class RowCard:
    """What the card of a row shows; `open_row` has the rest. The columns are those of `batch_predictions`."""

    drop: str
    position: int
    row_number: int
    image_id: str | None
    final_prediction: str
    rule: str
    reason: str
    top1_class: str | None
    top1_confidence: float | None


@dataclass(frozen=True)
class OpenedRow:
    """All that is known of one row.

    Attributes:
        prediction: the row of `batch_predictions`.
        sheet_cells: the sheet's other columns, header to text, in its order.
        photo: the row of `url_images`; None if the URL was not fetched.
        cluster_id: of an UNKNOWN photo, `NOISE` where it is in no cluster; None if it was not clustered.
        scores: softmax by class, the best first; empty if the photo has not been through the network, or the model
            is gone.
    """

    prediction: Row
    sheet_cells: dict[str, str]
    photo: Row | None
    cluster_id: int | None
    scores: list[tuple[str, float]]


def label_counts(layout: Layout, drop: str | None = None) -> dict[str, int]:
    """Return the number of rows by final prediction, the most frequent first."""
    with querying(layout.lake, "batch_predictions") as lake:
        where, parameters = _where(RowFilter(drop=drop))
        rows = lake.rows(
            f"""SELECT final_prediction AS label, count(*) AS rows FROM batch_predictions AS p {where}
                GROUP BY label ORDER BY rows DESC, label""",
            parameters,
        )
    return {row["label"]: row["rows"] for row in rows}


def count_rows(layout: Layout, wanted: RowFilter) -> int:
    """Return how many rows a filter leaves."""
    with querying(layout.lake, *_tables(wanted)) as lake:
        where, parameters = _where(wanted)
        return int(lake.value(f"SELECT count(*) FROM batch_predictions AS p {where}", parameters))


def measure_ranges(layout: Layout) -> dict[str, tuple[float, float]]:
    """Return the lowest and highest value there is, by measure; a measure that no photo has is not in it."""
    ends = ", ".join(f"min({name}), max({name})" for name in MEASURES)
    with querying(layout.lake, "url_images") as lake:
        row = list(lake.rows(f"SELECT {ends} FROM url_images")[0].values())
    pairs = zip(MEASURES, row[::2], row[1::2], strict=True)
    return {name: (float(low), float(high)) for name, low, high in pairs if low is not None}


def page_of_rows(layout: Layout, wanted: RowFilter, *, page: int, size: int) -> list[RowCard]:
    """Return a page of rows, with what a card shows.

    Args:
        layout: the data directory.
        wanted: which rows.
        page: from 0.
        size: how many rows a page has.
    """
    columns = ", ".join(f'p."{column.name}"' for column in fields(RowCard))
    with querying(layout.lake, *_tables(wanted)) as lake:
        where, parameters = _where(wanted)
        rows = lake.rows(
            f"""SELECT {columns} FROM batch_predictions AS p {where} ORDER BY {ORDERS[wanted.order]}
                LIMIT ? OFFSET ?""",
            [*parameters, size, page * size],
        )
    return [RowCard(**row) for row in rows]


def export_rows(layout: Layout, wanted: RowFilter, ending: str) -> bytes:
    """Return all rows that a filter leaves as a file with the columns of a batch report.

    Args:
        layout: the data directory.
        wanted: which rows.
        ending: `csv` or `xlsx`.
    """
    from meter_pipeline.batches.export_table import DECIMALS, export_table, with_reviewed_label
    from meter_pipeline.storage.csv_cells import csv_bytes
    from meter_pipeline.storage.xlsx import workbook_bytes

    with querying(layout.lake, *TABLES) as lake:
        where, parameters = _where(wanted)
        rows = lake.frame(
            f"""SELECT p.*, r.cells_position FROM (SELECT * FROM batch_predictions AS p {where}) AS p
                LEFT JOIN drop_rows AS r USING ("drop", position) ORDER BY {ORDERS[wanted.order]}""",
            parameters,
        )
        carriers = lake.rows(
            f"""SELECT "drop", position, other_columns FROM drop_rows WHERE ("drop", position) IN (
                    SELECT (p."drop", {CARRIER}) FROM batch_predictions AS p
                    LEFT JOIN drop_rows AS r USING ("drop", position) {where})""",
            parameters,
        )
    others = {(row["drop"], row["position"]): row["other_columns"] for row in carriers}
    header, table = export_table(with_reviewed_label(rows, layout.lake.frame(REVIEWED_IMAGES)), others)
    return csv_bytes(header, table, decimals=DECIMALS) if ending == "csv" else workbook_bytes(header, table)


def open_row(layout: Layout, drop: str, position: int) -> OpenedRow | None:
    """Return all there is of a row; None if there is no such row (any more)."""
    with querying(layout.lake, *TABLES, "image_features") as lake:
        found = lake.rows('SELECT * FROM batch_predictions WHERE "drop" = ? AND position = ?', [drop, position])
        if not found:
            return None
        prediction = found[0]
        key = [prediction["image_id"]]
        other = lake.value(
            f"""SELECT other_columns FROM drop_rows WHERE "drop" = ? AND position = (
                    SELECT {CARRIER} FROM drop_rows AS r WHERE r."drop" = ? AND r.position = ?)""",
            [drop, drop, position],
        )
        photos = lake.rows("SELECT * FROM url_images WHERE image_url = ?", [prediction["image_url"]])
        cluster = lake.value("SELECT cluster_id FROM unknown_clusters WHERE image_id = ?", key)
        logits = lake.value(
            "SELECT logits FROM image_features WHERE image_id = ? AND model_version = ?",
            [*key, prediction["model_version"]],
        )
    return OpenedRow(
        prediction=prediction,
        sheet_cells=json.loads(other) if other else {},
        photo=photos[0] if photos and photos[0]["image_id"] == prediction["image_id"] else None,
        cluster_id=cluster,
        scores=_scores(layout, prediction["model_version"], logits) if logits else [],
    )


def _scores(layout: Layout, model_version: str, logits: list[float]) -> list[tuple[str, float]]:
    from scipy.special import softmax

    try:
        classes = load_card(layout, model_version).classes
    except WeightsError:  # without the model's card nobody knows which score is whose
        return []
    return sorted(zip(classes, map(float, softmax(logits)), strict=True), key=lambda pair: -pair[1])


def _tables(wanted: RowFilter) -> list[str]:
    """Return the tables that a filter asks for: each costs some milliseconds to open."""
    further = {"drop_rows": wanted.search.strip(), "url_images": set(wanted.quality) - _OF_THE_PREDICTION}
    return ["batch_predictions", *(table for table, needed in further.items() if needed)]


def _where(wanted: RowFilter) -> tuple[str, list[Any]]:
    """Return the WHERE clause on `batch_predictions AS p`, and its parameters."""
    tests: list[str] = []
    parameters: list[Any] = []

    def test(sql: str, *values: object) -> None:
        tests.append(sql)
        parameters.extend(values)

    if wanted.drop is not None:
        test('p."drop" = ?', wanted.drop)
    if wanted.labels:
        test("list_contains(?, p.final_prediction)", list(wanted.labels))
    if wanted.rules:
        test("list_contains(?, p.rule)", list(wanted.rules))
    if wanted.confidence != (0.0, 1.0):
        test("p.top1_confidence BETWEEN ? AND ?", *wanted.confidence)
    for name, (low, high) in wanted.quality.items():
        if name not in MEASURES:
            raise ValueError(f"{name} is not a measure")
        if name in _OF_THE_PREDICTION:
            test(f"p.{name} BETWEEN ? AND ?", low, high)
        else:
            test(f"p.image_id IN (SELECT image_id FROM url_images WHERE {name} BETWEEN ? AND ?)", low, high)
    text = wanted.search.strip().lower()
    if text:
        test(
            f"""(contains(lower(p.image_url), ?) OR (p."drop", p.position) IN (
                SELECT (r."drop", r.position) FROM drop_rows AS r WHERE (r."drop", {CARRIER}) IN (
                    SELECT ("drop", position) FROM drop_rows WHERE contains(lower(other_columns), ?) AND contains(lower(
                        array_to_string(json_extract_string(other_columns, '$.*'), chr(10))), ?))))""",
            text,
            json.dumps(text, ensure_ascii=False)[1:-1],  # what is not even in the JSON is spared the parsing
            text,
        )
    return ("WHERE " + " AND ".join(tests) if tests else ""), parameters
