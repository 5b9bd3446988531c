"""What stands in a sheet's XML behind its rows: hyperlinks and merged ranges."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping

from meter_pipeline.ingest.sheets.workbooks.behind_cells import Area
from meter_pipeline.ingest.sheets.workbooks.workbook_parts import column_number
from meter_pipeline.ingest.sheets.workbooks.xlsx.package import Relation

_LAST_ROW, _LAST_COLUMN = 1_048_576, 16_383
_CELL = r"\$?([A-Za-z]{1,3})\$?([1-9]\d{0,6})"
_AREA = re.compile(_CELL + "(?::" + _CELL + ")?")
_COLUMNS = re.compile(r"\$?([A-Za-z]{1,3}):\$?([A-Za-z]{1,3})")
_ATTRIBUTE = re.compile(r"""([\w:.-]{1,60})\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)')""")
_WEB = re.compile(r"\s*(?:https?:|www\.)", re.IGNORECASE)


def links_of(tail: bytes, relations: Mapping[str, Relation]) -> list[tuple[Area, str]]:
    """Return the ranges with a link into the web, and where they lead."""
    found = []
    for attributes in _elements(tail, b"hyperlink"):
        identity = next((value for name, value in attributes.items() if name.endswith(":id") or name == "id"), "")
        relation = relations.get(identity)
        target = relation.target if relation else ""
        location = attributes.get("location", "")
        if target and location and "#" not in target:
            target += f"#{location}"
        if not leads_into_the_web(target):
            continue
        for reference in attributes.get("ref", "").split():
            area = area_of(reference)
            if area is not None:
                found.append((area, target))
    return found


def merged_of(tail: bytes) -> list[Area]:
    """Return the merged ranges."""
    areas = (area_of(attributes.get("ref", "")) for attributes in _elements(tail, b"mergeCell"))
    return [area for area in areas if area is not None]


def leads_into_the_web(target: str) -> bool:
    """Return whether a target may be a photo: not an e-mail address, a file, or a place in the workbook."""
    return _WEB.match(target) is not None


def area_of(reference: str) -> Area | None:
    """Return the area of `B2`, `B2:C9` or `B:B`; None if it is none."""
    match = _AREA.fullmatch(reference)
    if match:
        row, column = int(match[2]), _column(match[1])
        last_row, last_column = (int(match[4]), _column(match[3])) if match[3] else (row, column)
    elif match := _COLUMNS.fullmatch(reference):
        row, column, last_row, last_column = 1, _column(match[1]), _LAST_ROW, _column(match[2])
    else:
        return None
    rows, columns = sorted((row, last_row)), sorted((column, last_column))
    return rows[0], columns[0], min(rows[1], _LAST_ROW), min(columns[1], _LAST_COLUMN)


def _column(letters: str) -> int:
    return column_number(letters.upper()) - 1


def _elements(tail: bytes, name: bytes) -> Iterator[dict[str, str]]:
    if name not in tail:
        return
    # A `>` may stand in an attribute, a `<` may not.
    pattern = re.compile(rb"<(?:[\w.-]{1,50}:)?" + name + rb"""\s((?:[^<>"']|"[^"<]*"|'[^'<]*')*)>""")
    for match in pattern.finditer(tail):
        text = match[1].decode("utf-8", errors="replace")
        yield {key: html.unescape(double or single) for key, double, single in _ATTRIBUTE.findall(text)}
