"""Rows of `drop_rows` that were lost, made again from the predictions: their spreadsheets may be gone.

The sheets' other columns are in neither. A spreadsheet that is there, or comes back, is read again and brings them;
until then what was exported is put aside, because it has them, and is written again without them.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from meter_pipeline.ingest.drop_folder import listing
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.set_aside import set_aside
from meter_pipeline.storage.sound_rows import sound_rows
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, DROP_ROWS, DROPS

REFUSED = "Row refused: "
"""How the reason of a refused row begins, as `batches.batch_predictions` writes it."""
_KEY = ["drop", "position"]
_FROM_PREDICTIONS = [*_KEY, "sheet", "row_number", "image_url", "reason"]


def restore_rows(layout: Layout) -> int:
    """Write `drop_rows` anew: its sound rows, and lost ones as far as predictions know them; return how many of these.

    Ended at any point and done again, it comes to the same.

    Raises:
        DamagedTableError: `drops` is damaged still.
        StorageError: the disk is full or not ours to write.
    """
    lake = layout.lake
    sound = sound_rows(lake, DROP_ROWS)
    there = set(zip(*(sound[name].to_pylist() for name in _KEY), strict=True))
    known = sound_rows(lake, BATCH_PREDICTIONS).select(_FROM_PREDICTIONS).to_pylist()
    lost = [_row(row) for row in known if (row["drop"], row["position"]) not in there]
    if lost:
        _read_again(layout, {row["drop"] for row in lost})
    restored = pa.Table.from_pandas(
        pd.DataFrame(lost, columns=list(DROP_ROWS.columns)).astype(object),
        schema=DROP_ROWS.schema,
        preserve_index=False,
    )
    rows = pa.concat_tables([sound, restored]).sort_by([(name, "ascending") for name in _KEY])
    lake.replace(DROP_ROWS, rows)
    lake.drop_replaced(DROP_ROWS)
    return len(lost)


def _row(known: dict[str, Any]) -> dict[str, Any]:
    reason = known["reason"] or ""
    return dict.fromkeys(DROP_ROWS.columns) | {
        **{name: known[name] for name in (*_KEY, "sheet", "row_number", "image_url")},
        "cells_position": known["position"],
        "reason": reason.removeprefix(REFUSED) if reason.startswith(REFUSED) else None,
    }


def _read_again(layout: Layout, restored: set[str]) -> None:
    """Have the spreadsheets of drops read again, now or when they come back; keep what was exported until then."""
    drops = layout.lake.frame(DROPS)
    files = {file.shown for file in listing(layout.drops)}
    gone = restored - set(drops["drop"][drops["file_name"].isin(files)])
    for path in [layout.batch_reports / f"{drop}{ending}" for drop in sorted(gone) for ending in (".csv", ".xlsx")]:
        if path.is_file():
            set_aside(layout, path)
    unread = drops["sha256"].where(~drops["drop"].isin(restored), None)
    layout.lake.replace(DROPS, drops.assign(sha256=unread.astype(object)))
