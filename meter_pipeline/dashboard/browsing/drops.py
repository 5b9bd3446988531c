"""The dropped spreadsheets, and the outcome of their rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from meter_pipeline.labels import DropStatus, FinalLabel, Rule
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.queries import querying

TABLES = ("drops", "batch_predictions")
"""What the functions here read; for caches."""


@dataclass(frozen=True)
class RowCounts:
    """How many rows there are, by their outcome; a refused drop has none.

    Attributes:
        rows: all of them.
        named: rows with a class.
        unknown: rows that are UNKNOWN.
        dark: rows that are DARK.
        error: rows that are ERROR.
        waiting: rows without a prediction yet.
    """

    rows: int = 0
    named: int = 0
    unknown: int = 0
    dark: int = 0
    error: int = 0
    waiting: int = 0

    @property
    def answered(self) -> int:
        """Rows with a prediction."""
        return self.rows - self.waiting

    def __add__(self, other: RowCounts) -> RowCounts:
        """Count the rows of both."""
        return RowCounts(
            rows=self.rows + other.rows,
            named=self.named + other.named,
            unknown=self.unknown + other.unknown,
            dark=self.dark + other.dark,
            error=self.error + other.error,
            waiting=self.waiting + other.waiting,
        )


@dataclass(frozen=True)
class Drop:
    """A spreadsheet that was dropped.

    Attributes:
        name: the drop.
        file_name: its file in `data/drops`.
        status: whether the file could be read.
        reason: why not; None if it was read.
        counts: its rows.
        url_columns: the columns that the URLs were taken from; empty if it was not read.
        passed_over: columns with URLs that were not taken, each with the reason; empty if there are none.
    """

    name: str
    file_name: str
    status: DropStatus
    reason: str | None
    counts: RowCounts
    url_columns: str = ""
    passed_over: str = ""


def list_drops(layout: Layout) -> list[Drop]:
    """Return the drops, by name."""
    with querying(layout.lake, *TABLES) as lake:
        rows = lake.rows(
            f"""SELECT d."drop", d.file_name, d.status, d.reason, coalesce(d.rows, 0) AS rows,
                      coalesce(d.url_columns, '') AS url_columns, coalesce(d.passed_over, '') AS passed_over,
                      coalesce(p.named, 0) AS named, coalesce(p.unknown, 0) AS unknown, coalesce(p.dark, 0) AS dark,
                      coalesce(p.error, 0) AS error,
                      greatest(coalesce(d.rows, 0) - coalesce(p.answered, 0), 0) AS waiting
               FROM drops AS d LEFT JOIN (
                   SELECT "drop", count(*) AS answered,
                          count(*) FILTER (rule = '{Rule.ACCEPTED}') AS named,
                          count(*) FILTER (final_prediction = '{FinalLabel.UNKNOWN}') AS unknown,
                          count(*) FILTER (final_prediction = '{FinalLabel.DARK}') AS dark,
                          count(*) FILTER (final_prediction = '{FinalLabel.ERROR}') AS error
                   FROM batch_predictions GROUP BY "drop") AS p USING ("drop")
               ORDER BY d."drop" """
        )
    return [
        Drop(
            name=row["drop"],
            file_name=row["file_name"],
            status=DropStatus(row["status"]),
            reason=row["reason"],
            counts=RowCounts(
                rows=row["rows"],
                named=row["named"],
                unknown=row["unknown"],
                dark=row["dark"],
                error=row["error"],
                waiting=row["waiting"],
            ),
            url_columns=row["url_columns"],
            passed_over=row["passed_over"],
        )
        for row in rows
    ]


def sum_counts(drops: Iterable[Drop]) -> RowCounts:
    """Return the counts of several drops together."""
    return sum((drop.counts for drop in drops), RowCounts())
