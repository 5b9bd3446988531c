"""How a text is written into a CSV cell so that no spreadsheet program runs it as a formula, and how it is read back.

A text that begins with `= + - @`, one of their full-width forms, a tab, a line break or a quote `'` gets a quote `'` in
front; reading takes that one away. Plain negative numbers stay as they are. (OWASP, CSV injection.) In a workbook no
such mark is needed: a cell says itself that it is text.
"""

from __future__ import annotations

import re

EXPORT_COLUMNS = (
    "image_url",
    "final_prediction",
    "top1_class",
    "top1_confidence",
    "top2_class",
    "top2_confidence",
    "top3_class",
    "top3_confidence",
    "brightness",
    "contrast",
    "green_ratio",
    "reason",
)
"""First columns of every export, in this order; a CSV that begins so was written by us, so its quotes are undone."""
QUOTE = "'"
_STARTS_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_PLAIN_NUMBER = re.compile(r"-\d+(\.\d+)?")


def safe_cell(text: str) -> str:
    """Return `text` so that it is text in every spreadsheet program."""
    if text.startswith((*_STARTS_FORMULA, QUOTE)) and not _PLAIN_NUMBER.fullmatch(text):
        return QUOTE + text
    return text


def unsafe_cell(text: str) -> str:
    """Return what `safe_cell` was given."""
    return text[1:] if text.startswith(QUOTE) else text
