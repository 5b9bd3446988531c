"""What a person declares about labelled photos in `data/raw/groups.csv`: which of them show one physical meter."""

from __future__ import annotations

import csv
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from meter_pipeline.errors import DataSetError

_logger = logging.getLogger(__name__)


def read_groups(path: Path, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Read which photos show one physical meter.

    The file has the column `group` and one of `path` (below data/raw, `<CLASS>/<file>`), `image_id` or `file` (the name
    alone, which then means every photo of that name). A line about a photo that is not there does no harm.

    Args:
        path: the CSV file; if it does not exist, nothing is declared.
        rows: the inventory's rows, columns path and image_id, for finding photos by path and name.

    Returns:
        The group of each photo named, by image_id.

    Raises:
        DataSetError: the file is not a CSV file in UTF-8 with these columns.
    """
    fix = "It needs the columns `path` (or `image_id`, or `file`) and `group`, separated by commas, in UTF-8."
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle)
            fields = [field.strip().lower() for field in reader.fieldnames or []]
            reader.fieldnames = fields
            lines = list(reader)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataSetError(f"The groups of photos cannot be read: {error}.", where=path, fix=fix) from error
    by = next((column for column in ("path", "image_id", "file") if column in fields), None)
    if by is None or "group" not in fields:
        raise DataSetError(f"The groups of photos have the columns {fields}.", where=path, fix=fix)
    photos: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["image_id"] is not None:
            keys = {"path": row["path"], "image_id": row["image_id"], "file": row["path"].rpartition("/")[2]}
            photos[keys[by]].append(row["image_id"])
    declared: dict[str, str] = {}
    for line in lines:
        group = (line["group"] or "").strip()
        key = (line[by] or "").strip().replace("\\", "/")
        if group:
            declared.update(dict.fromkeys(photos.get(key, []), group))
    _logger.info("Groups of photos: %d photos are declared by %d lines", len(declared), len(lines))
    return declared
