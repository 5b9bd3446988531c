"""Tables that are drawn with signs, as SAP lists, databases' consoles and Markdown write them.

Lines of dashes are no rows, the bars at both ends are no columns, and cells are padded with blanks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_RULE = re.compile(r"[\s|+:=_─━│┼┌┐└┘├┤┬┴-]*")
_DASHES = re.compile(r"-{3}|={3}|_{3}|─{3}|━{3}")
_RULE_CELL = re.compile(r"\s*:?-{2,}:?\s*")
_LOOKED_AT = 200
_RULES_FOLLOW_THE_HEADER_WITHIN = 10
_BARRED_SHARE = 0.8
_FOOTER = re.compile(r"\s*\(?[\d.,]+ rows?(?: in set.*| affected.*)?\)?\s*")


def without_rules(rows: list[list[str]], delimiter: str) -> list[list[str]]:
    """Return the rows of a drawn table without what only draws it; the rows of any other table as they are.

    What is left out leaves a blank row, so that each row keeps its number.
    """
    head = rows[:_LOOKED_AT]
    if delimiter == "|":
        barred = _is_barred(head)
        if barred or any(_is_rule(row) for row in head):
            return _undrawn(rows, barred=barred)
        return rows
    ruled = next((row for row in head[:_RULES_FOLLOW_THE_HEADER_WITHIN] if _is_rule_row(row)), None)
    if ruled is None:
        return rows
    return [[] if row == ruled else [cell.strip() for cell in row] for row in rows]


def _is_rule(row: Sequence[str]) -> bool:
    line = "|".join(row)
    return bool(_DASHES.search(line)) and _RULE.fullmatch(line) is not None


def _is_rule_row(row: Sequence[str]) -> bool:
    """Whether each cell is dashes, as below the header of a console's list with commas or tabs."""
    return len(row) > 1 and all(_RULE_CELL.fullmatch(cell) for cell in row)


def _is_barred(rows: Sequence[Sequence[str]]) -> bool:
    """Whether lines begin and end with a bar."""
    lines = [row for row in rows if len(row) > 1 and not _is_rule(row)]
    with_bars = sum(len(row) > 2 and not row[0].strip() and not row[-1].strip() for row in lines)
    return with_bars > 0 and with_bars >= _BARRED_SHARE * len(lines)


def _undrawn(rows: list[list[str]], *, barred: bool) -> list[list[str]]:
    result: list[list[str]] = []
    begun = False
    for row in rows:
        if _is_rule(row):
            result.append([])
            continue
        is_line = len(row) > 1
        begun = begun or is_line
        if not is_line:
            # A title above the table stays; the head of the next page and the count of rows are no rows of it.
            in_between = begun and (barred or (row and _FOOTER.fullmatch(row[0])))
            result.append([] if in_between else [cell.strip() for cell in row])
            continue
        inner = row
        if barred and not row[0].strip():
            inner = row[1:-1] if not row[-1].strip() else row[1:]
        result.append([cell.strip() for cell in inner])
    return result
