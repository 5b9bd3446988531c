"""What is to be erased: a whole drop, a URL, the rows with a text in a column, or the photos that no row names."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa

from meter_pipeline.errors import MeterError
from meter_pipeline.ingest.drop_folder import listing
from meter_pipeline.ingest.erased_rows import ErasedRows, rows_with_cells
from meter_pipeline.ingest.web.urls import UrlRefusedError, clean_url
from meter_pipeline.labels import class_key
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.masking import mask_urls
from meter_pipeline.storage.tables import DROP_ROWS, DROPS


class Kind(StrEnum):
    """By what it is told."""

    DROP = "drop"
    URL = "url"
    COLUMN = "column"
    UNUSED = "unused"


@dataclass(frozen=True)
class Target:
    """What is to be erased.

    Attributes:
        kind: by what it is told.
        value: name of the drop, the URL as tables hold it, or the text in the column; empty where no row is meant.
        column: header of the column; empty for the others.
        file_name: the drop's file in data/drops, with its folder there; empty for the others, or if it is not known.
    """

    kind: Kind
    value: str
    column: str = ""
    file_name: str = ""

    @property
    def described(self) -> str:
        """What it is, for people; secrets in a URL and what stands in a column are not repeated."""
        if self.kind == Kind.DROP:
            return f"the drop {self.value}"
        if self.kind == Kind.UNUSED:
            return "the photos that no row names"
        return f"the URL {mask_urls(self.value)}" if self.kind == Kind.URL else f"the rows with this {self.column}"

    def among(self, rows: pa.Table) -> np.ndarray:
        """Return which rows of `drop_rows` are meant, as a mask."""
        if self.kind == Kind.COLUMN:
            return rows_with_cells(rows, self._has_cell)
        if self.kind == Kind.UNUSED:
            return np.zeros(rows.num_rows, bool)
        name = "drop" if self.kind == Kind.DROP else "image_url"
        return np.fromiter((value == self.value for value in rows[name].to_pylist()), bool, rows.num_rows)

    def remembered(self, erased: ErasedRows) -> ErasedRows:
        """Return the list of what does not come back, with this in it; a drop's own file goes, so it needs none."""
        if self.kind in (Kind.DROP, Kind.UNUSED):
            return erased
        return erased.with_url(self.value) if self.kind == Kind.URL else erased.with_cell(self.column, self.value)

    def is_asked_by(self, drop: str | None, column: str | None) -> bool:
        """Return whether a drop or `NAME=VALUE` that a person typed means this, also when nothing of it is left."""
        if self.kind == Kind.DROP and drop is not None:
            wanted = drop.replace("\\", "/")
            return (
                wanted == self.value
                or (bool(self.file_name) and f"/{self.file_name}".endswith(f"/{wanted}"))
                or (bool(self.file_name) and wanted.endswith(f"/{self.file_name}"))
            )
        if self.kind == Kind.COLUMN and column is not None:
            ends = (place for place, character in enumerate(column) if character == "=")
            typed = ((class_key(column[:end]), class_key(column[end + 1 :])) for end in ends)
            return (class_key(self.column), class_key(self.value)) in typed
        return False

    def _has_cell(self, cells: Mapping[str, str]) -> bool:
        column, text = class_key(self.column), class_key(self.value)
        return any(class_key(header) == column and class_key(cell) == text for header, cell in cells.items())


def drop_target(layout: Layout, text: str) -> Target:
    """Return the drop of a name in the reports, or of a file in data/drops.

    Raises:
        MeterError: there is no such drop; the message names those that are nearly called so.
    """
    known = layout.lake.frame(DROPS, ["drop", "file_name"])
    pairs = dict(zip(known["drop"], known["file_name"], strict=True))
    pairs |= {
        drop: "" for drop in layout.lake.read(DROP_ROWS, ["drop"])["drop"].unique().to_pylist() if drop not in pairs
    }
    pairs |= {name: name for name in (file.shown for file in listing(layout.drops)) if name not in pairs.values()}
    folder = f"{layout.drops.as_posix()}/"
    wanted = text.replace("\\", "/").removeprefix(folder).removeprefix("data/drops/")
    found = [
        (drop, file_name)
        for drop, file_name in pairs.items()
        if wanted in {drop, file_name} or (file_name and wanted == PurePosixPath(file_name).name)
    ]
    exact = [pair for pair in found if wanted == pair[0]] or found
    if len(exact) > 1:
        raise MeterError(
            f"{len(exact)} drops have a file of this name: {', '.join(sorted(drop for drop, _ in exact))}.",
            where="DROP",
            fix="Give the name that the drop has in the reports.",
        )
    if not exact:
        near = difflib.get_close_matches(wanted, [*pairs, *filter(None, pairs.values())], n=3, cutoff=0.5)
        raise MeterError(
            f"There is no drop called {text}.",
            where="DROP",
            fix=f"Nearly called so: {', '.join(near)}."
            if near
            else "Its name is that of its files in reports/batches.",
        )
    return Target(Kind.DROP, exact[0][0], file_name=exact[0][1])


def url_target(text: str) -> Target:
    """Return a URL as it stands in the tables: cleaned, or as it is where it was refused."""
    try:
        return Target(Kind.URL, clean_url(text))
    except UrlRefusedError:
        return Target(Kind.URL, text)


def column_target(layout: Layout, text: str) -> Target:
    """Return the rows with a text in a column, from `NAME=VALUE`; a name may hold `=` itself.

    Raises:
        MeterError: there is no `=`, or no sheet has a column of that name; the message names the columns.
    """
    if "=" not in text:
        raise MeterError(
            "A column and its text are wanted.", where="--column", fix="For example: --column Account=4711"
        )
    headers = {class_key(header): header for header in _headers(layout)}
    ends = [place for place, character in enumerate(text) if character == "="]
    for end in ends:
        if header := headers.get(class_key(text[:end])):
            return Target(Kind.COLUMN, text[end + 1 :].strip(), header)
    shown = ", ".join(sorted(headers.values())[:40]) or "none"
    raise MeterError(
        f"No sheet has a column {text[: ends[0]]!r}.",
        where="--column",
        fix=f"Columns beside the photos' URLs: {shown}.",
    )


def _headers(layout: Layout) -> Iterable[str]:
    cells = layout.lake.read(DROP_ROWS, ["other_columns"])["other_columns"].drop_null()
    return dict.fromkeys(header for text in cells.to_pylist() for header in json.loads(text))
