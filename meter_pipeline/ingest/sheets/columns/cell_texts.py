"""What the cell of a URL column says: its own text, or the link behind it."""

from __future__ import annotations

import re

from meter_pipeline.ingest.sheets.columns.header_words import says_no_photo
from meter_pipeline.ingest.sheets.sheet_files import Sheet
from meter_pipeline.ingest.web.urls import looks_like_url

_SHORTENED_END = re.compile(r"(?:\.{3,}|\u2026)[\s)\]>\"']*$")
_SHORTENED = re.compile(r"\.{3,}|\u2026")
_CUT_DIGITS = 3
"""A link that is the text and up to this many digits more is the old target of a cell that was edited, not more of
the same URL."""


def url_text(sheet: Sheet, number: int, column: int, cells: list[str]) -> str:
    """Return the text of a cell that its URLs are read from: its own, or the link behind it."""
    text = cells[column] if column < len(cells) else ""
    if not sheet.links:
        return text
    link = sheet.links.get((number, column + sheet.first_column))
    if not link or link == text:
        return text
    if not looks_like_url(text):
        return text if says_no_photo(text) and not looks_like_url(link) else link
    # A URL that can be read is what people mean; the link behind it may be older.
    return link if looks_like_url(link) and _is_shortened(text.strip(), link.strip()) else text


def _is_shortened(text: str, link: str) -> bool:
    """Return whether a text shows only a part of the URL behind it: cut off, or with dots for what is left out."""
    if _SHORTENED_END.search(text):
        return True
    dots = _SHORTENED.search(text)
    if dots and link.startswith(text[: dots.start()]) and link.endswith(text[dots.end() :]):
        return True
    rest = link[len(text) :]
    return bool(rest) and link.startswith(text) and not (len(rest) <= _CUT_DIGITS and rest.isdigit())
