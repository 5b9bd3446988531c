"""Numbers as people see them where their format is made of zeros: account 4200 as `0000004200`, meter 123 as `A-00123`.

Only formats of digits and fixed text count. What a number is worth (decimals, thousands, percent, currencies, units)
stays a number, because sheets are joined by account numbers and not by readings.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cached_property

from meter_pipeline.ingest.sheets.workbooks.workbook_parts import elements, tag
from meter_pipeline.ingest.sheets.workbooks.xlsx.package import Package

MIN_ZEROS = 2
"""A single `0` says no more than "a whole number"."""
MAX_DIGITS = 40
_PIECE = re.compile(
    r"""(?P<digit>[0#?])|"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_(?P<space>.)|\*(?P<fill>.)
    |\[(?P<condition><=|>=|<>|<|>|=)(?P<limit>-?\d+(?:\.\d+)?)\]|\[(?P<bracket>[^\]]*)\]
    |(?P<literal>[-+()/: '!^&~{}<>=$€£¥])""",
    re.VERBOSE | re.DOTALL,
)
_TIMES = re.compile(r"h+|m+|s+", re.IGNORECASE)
_CONDITIONS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b, "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b, ">": lambda a, b: a > b, "=": lambda a, b: a == b,
}  # fmt: skip


@dataclass(frozen=True)
class _Section:
    """What a format does to some numbers: digits (`0`, `#`, `?`) and fixed text; None for text that stays."""

    pieces: tuple[tuple[str, bool], ...]
    condition: str | None
    limit: Decimal

    @property
    def zeros(self) -> int:
        return sum(text == "0" for text, is_digit in self.pieces if is_digit)

    def shown(self, digits: str) -> str:
        places = [index for index, (_, is_digit) in enumerate(self.pieces) if is_digit]
        if not places:
            return "".join(text for text, _ in self.pieces)
        shown = [text for text, _ in self.pieces]
        digits = "" if digits == "0" else digits
        for index in reversed(places):
            digit, digits = digits[-1:], digits[:-1]
            shown[index] = digit or {"0": "0", "?": " "}.get(self.pieces[index][0], "")
        shown[places[0]] = digits + shown[places[0]]
        return "".join(shown)


@dataclass(frozen=True)
class DigitFormat:
    """A number format of digits and fixed text."""

    sections: tuple[_Section, ...]

    @cached_property
    def _plain(self) -> tuple[str, int, str] | None:
        """Text before, number of zeros, text after, if the format is no more than that; a sheet may have millions."""
        section = self.sections[0]
        kinds = "".join(text if is_digit else "t" for text, is_digit in section.pieces)
        if len(self.sections) > 2 or section.condition is not None or not re.fullmatch("t*0+t*", kinds):
            return None
        texts = ["" if is_digit else text for text, is_digit in section.pieces]
        middle = kinds.index("0")
        before, after = "".join(texts[:middle]), "".join(texts[middle:])
        return before.lstrip(), kinds.count("0"), after.rstrip()

    def shown(self, number: str) -> str | None:
        """Return how people see a number; None if it is not a number that the format is for."""
        if self._plain is not None and number.isdecimal() and len(number) < MAX_DIGITS:
            before, zeros, after = self._plain
            return before + number.lstrip("0").rjust(zeros, "0") + after
        try:
            value = Decimal(number)
        except InvalidOperation:
            return None
        if not value.is_finite() or abs(value) >= Decimal(10) ** MAX_DIGITS:
            return None
        section, minus = self._section(value)
        if not section.zeros:
            return None
        whole = abs(value).quantize(Decimal(1), ROUND_HALF_UP) if value != value.to_integral_value() else abs(value)
        digits = str(int(whole))
        return ("-" if minus and digits.strip("0") else "") + section.shown(digits).strip()

    def _section(self, value: Decimal) -> tuple[_Section, bool]:
        for section in self.sections:
            if section.condition is not None and _CONDITIONS[section.condition](value, section.limit):
                return section, value < 0
        if any(section.condition is not None for section in self.sections):
            return self.sections[-1], value < 0
        if value < 0 and len(self.sections) > 1:
            return self.sections[1], False
        if value == 0 and len(self.sections) > 2:
            return self.sections[2], False
        return self.sections[0], value < 0


def digit_format(code: str) -> DigitFormat | None:
    """Return the format of a format code such as `0000-000`; None if it is a format of another kind."""
    sections = []
    for text in _sections(code)[:3]:
        if "@" in text:
            break  # what texts look like
        section = _section(text)
        if section is None:
            return None
        sections.append(section)
    if not sections or not any(section.zeros >= MIN_ZEROS for section in sections):
        return None
    return DigitFormat(tuple(sections))


def digit_formats(archive: zipfile.ZipFile, package: Package) -> Mapping[int, DigitFormat]:
    """Return a workbook's formats of digits and fixed text, by the number that cells have as their style.

    Raises:
        ParseError: the XML is broken.
        DefusedXmlException: it declares entities.
    """
    if not package.styles:
        return {}
    codes: dict[str, str] = {}
    styles: list[str] = []
    for element in elements(archive, package.styles):
        if tag(element) == "numFmt":
            codes.setdefault(element.get("numFmtId", ""), element.get("formatCode", ""))
        elif tag(element) == "cellXfs":
            styles = [child.get("numFmtId", "") for child in element if tag(child) == "xf"]
    formats = {identity: digit_format(code) for identity, code in codes.items()}
    found = ((style, formats.get(identity)) for style, identity in enumerate(styles))
    return {style: one for style, one in found if one is not None}


def _sections(code: str) -> list[str]:
    """Cut a code at the semicolons outside of quotes."""
    return ["".join(part) for part in _cut(re.findall(r'"[^"]*"?|\\.|[^"\\]', code[:1000], re.DOTALL))]


def _cut(pieces: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for piece in pieces:
        if piece == ";":
            parts.append([])
        else:
            parts[-1].append(piece)
    return parts


def _section(text: str) -> _Section | None:
    pieces: list[tuple[str, bool]] = []
    condition, limit, end = None, Decimal(0), 0
    while end < len(text):
        match = _PIECE.match(text, end)
        if match is None:
            return None
        end = match.end()
        if match["digit"]:
            pieces.append((match["digit"], True))
        elif match["condition"]:
            condition, limit = match["condition"], Decimal(match["limit"])
        elif match["bracket"] is not None:
            if _TIMES.fullmatch(match["bracket"]):
                return None
            if match["bracket"].startswith("$"):
                pieces.append((match["bracket"][1:].partition("-")[0], False))
        elif match["space"] is None and match["fill"] is None:
            pieces.append((match["quoted"] or match["escaped"] or match["literal"] or "", False))
    section = _Section(tuple(pieces), condition, limit)
    money = any(sign in text for text, is_digit in pieces if not is_digit for sign in "$€£¥")
    fraction = any(text == "/" and not is_digit for text, is_digit in pieces) and "?" in text
    return None if money or fraction or len(pieces) > 2 * MAX_DIGITS else section
