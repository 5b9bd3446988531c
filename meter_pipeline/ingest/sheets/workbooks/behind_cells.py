"""What stands behind a workbook's cells, and what its reader does not give: links, what people see, merged ranges.

Each format has a module of its own that finds these; `cell_rows` puts them into the sheet's rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from meter_pipeline.ingest.sheets.workbooks.formulas import Formula
from meter_pipeline.ingest.sheets.workbooks.workbook_parts import Place

Area = tuple[int, int, int, int]
"""First row, first column, last row, last column, both ends included; rows from 1, columns from 0."""


@dataclass(frozen=True)
class Table:
    """A named table on a sheet: `Meters[[#This Row],[No]]` in a formula is a cell of it.

    Attributes:
        name: without regard to capitals.
        area: header included.
        columns: names of its columns, from the left.
    """

    name: str
    area: Area
    columns: Sequence[str]


@dataclass(frozen=True)
class Behind:
    """What a reader leaves out of a sheet.

    Attributes:
        links: targets of links behind cells, by place.
        linked_areas: targets of links over a range: each filled cell of the range has this link.
        formulas: formulas with a link, or without a stored result, by place; worked out once all rows are read.
        texts: what people see in cells for which the reader gives something else: errors, formatted numbers.
        numbers: the same for formatted numbers where they are many; formulas still get the numbers themselves.
        merged: ranges merged into one cell.
        pictures: number of pictures that are inside the workbook instead of behind a URL.
        tables: what formulas call a table of this sheet.
    """

    links: Mapping[Place, str] = field(default_factory=dict)
    texts: Mapping[Place, str] = field(default_factory=dict)
    merged: Sequence[Area] = ()
    pictures: int = 0
    linked_areas: Sequence[tuple[Area, str]] = ()
    formulas: Mapping[Place, Formula] = field(default_factory=dict)
    numbers: Iterable[tuple[int, int, str]] = ()
    tables: Sequence[Table] = ()
