"""What assets and checks tell the Dagster UI: columns of tables, row counts, previews, pictures, data versions."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from meter_pipeline.storage.bare_links import no_link
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.masking import mask_urls
from meter_pipeline.storage.sql import SQL_TYPES
from meter_pipeline.storage.tables import VECTOR, TableSpec

if TYPE_CHECKING:
    import pandas as pd

PREVIEW_ROWS = 8
PREVIEW_TEXT = 60
"""Characters of a cell that a preview shows."""
PROBLEMS_NAMED = 5
PRIVATE_COLUMNS = frozenset({"image_url", "other_columns", "by"})
"""What stands in sheets, and who decided: Dagster keeps metadata for ever, and nothing of it can be erased there."""


def column_schema(spec: TableSpec, *beside: TableSpec) -> dict[str, Any]:
    """Return definition metadata that shows the columns of an asset's tables, with what each means.

    Args:
        spec: the table that has the asset's name, or stands for it; the UI shows it under Columns.
        beside: further tables that the asset writes.
    """
    further = {f"columns of {other.name}": _schema(other) for other in beside}
    return {"dagster/column_schema": _schema(spec), "dagster/table_name": spec.name, **further}


def _schema(spec: TableSpec) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(
                name,
                SQL_TYPES[column.type],
                description=column.description,
                constraints=dg.TableColumnConstraints(unique=spec.key == (name,)),
            )
            for name, column in spec.columns.items()
        ],
        constraints=dg.TableConstraints([f"key: {', '.join(spec.key)}"]),
    )


def table_result(
    lake: Lake,
    spec: TableSpec,
    *,
    metadata: Mapping[str, Any] | None = None,
    preview: bool = True,
    data_version: str | None = None,
) -> dg.MaterializeResult[Any]:
    """Report a table that was just written."""
    shown: dict[str, Any] = {"dagster/row_count": lake.count(spec)}
    if preview:
        names = [name for name in spec.columns if spec.columns[name].type != VECTOR and name not in PRIVATE_COLUMNS]
        shown["preview"] = markdown_table(lake.head(spec, PREVIEW_ROWS, names).to_pandas())
    return dg.MaterializeResult(
        metadata={**shown, **(metadata or {})},
        data_version=dg.DataVersion(data_version or lake.version(spec)),
    )


def markdown_table(frame: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Return a frame as a Markdown table; cell text is shown, never run, no link, and secrets in URLs are masked."""
    header = [str(name) for name in frame.columns]
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in frame.itertuples(index=False)]
    return dg.MetadataValue.md("\n".join(lines))


def frame_table(frame: pd.DataFrame, rows: int = 30) -> dg.MarkdownMetadataValue:
    """Return the first rows of a frame as a Markdown table, without private columns, and how many more there are."""
    shown = markdown_table(frame.drop(columns=[name for name in frame if name in PRIVATE_COLUMNS]).head(rows))
    more = len(frame) - rows
    return dg.MetadataValue.md(f"{shown.value}\n\n… and {more} more") if more > 0 else shown


def counts_table(values: pd.Series) -> dg.MarkdownMetadataValue:
    """Return how often each value occurs, the most frequent first."""
    return frame_table(values.rename("label").value_counts().rename("rows").reset_index())


def check_result(
    problems: Sequence[str], *, severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
) -> dg.AssetCheckResult:
    """Return a check that passes if there are no problems.

    Otherwise it fails, and its description lists the first problems.
    """
    return dg.AssetCheckResult(
        passed=not problems,
        severity=severity,
        description=no_link(mask_urls("; ".join(problems[:PROBLEMS_NAMED]))) or "Nothing wrong.",
        metadata={"problems": len(problems)},
    )


def inline_png(content: bytes) -> dg.MarkdownMetadataValue:
    """Return a picture that the UI shows in place."""
    return dg.MetadataValue.md(f"![](data:image/png;base64,{base64.b64encode(content).decode()})")


def _cell(value: object) -> str:
    if value is None or str(value) in {"nan", "<NA>", "NaT"}:
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else no_link(mask_urls(str(value)))
    text = text if len(text) <= PREVIEW_TEXT else text[: PREVIEW_TEXT - 1] + "…"
    for character in "\\`*_[]<>|!#":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())
