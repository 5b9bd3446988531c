"""Xlsx workbooks from bare XML: what libraries do not write, and other programs do."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STRICT_OFFICE = "http://purl.oclc.org/ooxml/officeDocument/relationships"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT_MAIN = "http://purl.oclc.org/ooxml/spreadsheetml/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def text(place: str, value: str, style: int = 0) -> str:
    """Return a cell with its own text."""
    return f'<c r="{place}" s="{style}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'


def number(place: str, value: float | str, style: int = 0) -> str:
    """Return a cell with a number."""
    return f'<c r="{place}" s="{style}"><v>{value}</v></c>'


def formula(place: str, code: str, stored: str | None = "open", kind: str = "str", more: str = "") -> str:
    """Return a cell with a formula; `stored` is its result as the program left it."""
    value = "" if stored is None else f"<v>{escape(stored)}</v>"
    return f'<c r="{place}" t="{kind}"{more}><f>{escape(code)}</f>{value}</c>'


def rows(*cells: Sequence[str]) -> str:
    """Return rows from 1 on."""
    return "".join(f'<row r="{number}">{"".join(row)}</row>' for number, row in enumerate(cells, 1))


@dataclass
class XlsxXml:
    """A workbook, part by part.

    Attributes:
        sheets: XML of the rows, by name.
        tail: what stands behind the rows of the first sheet.
        strings: texts that cells share.
        codes: number formats; the first has style 1.
        links: targets of the first sheet's relations, by id.
        names: other names of parts: of `workbook`, `relations`, `sheet` (with `{}`), `strings`, `styles`.
        more: further parts.
        main: namespace.
        office: namespace of relations.
    """

    sheets: Mapping[str, str]
    tail: str = ""
    strings: Sequence[str] = ()
    codes: Sequence[str] = ()
    links: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, str | bytes] = field(default_factory=dict)
    main: str = MAIN
    office: str = OFFICE

    def write(self, path: Path) -> Path:
        """Write the workbook."""
        names = {
            "workbook": "xl/workbook.xml", "relations": "xl/_rels/workbook.xml.rels",
            "sheet": "xl/worksheets/sheet{}.xml", "strings": "xl/sharedStrings.xml", "styles": "xl/styles.xml",
            "target": "worksheets/sheet{}.xml",
            "strings target": "sharedStrings.xml", "styles target": "styles.xml", "root": "xl/workbook.xml",
        } | dict(self.names)  # fmt: skip
        spaces = f'xmlns="{self.main}" xmlns:r="{self.office}"'
        tabs, relations, parts = "", "", dict(self.more)
        for place, (name, xml) in enumerate(self.sheets.items(), 1):
            tabs += f'<sheet name="{escape(name)}" sheetId="{place}" r:id="s{place}"/>'
            relations += self._relation(f"s{place}", "worksheet", names["target"].format(place))
            tail = self.tail if place == 1 else ""
            parts[names["sheet"].format(place)] = f"<worksheet {spaces}><sheetData>{xml}</sheetData>{tail}</worksheet>"
        if self.strings:
            relations += self._relation("t", "sharedStrings", names["strings target"])
            texts = "".join(f"<si><t>{escape(one)}</t></si>" for one in self.strings)
            parts[names["strings"]] = f"<sst {spaces}>{texts}</sst>"
        if self.codes:
            relations += self._relation("f", "styles", names["styles target"])
            codes = "".join(
                f'<numFmt numFmtId="{163 + n}" formatCode="{escape(c)}"/>' for n, c in enumerate(self.codes, 1)
            )
            styles = "".join(f'<xf numFmtId="{163 + n}"/>' for n in range(1, len(self.codes) + 1))
            formats = f'<numFmts>{codes}</numFmts><cellXfs><xf numFmtId="0"/>{styles}</cellXfs>'
            parts[names["styles"]] = f"<styleSheet {spaces}>{formats}</styleSheet>"
        parts[names["workbook"]] = f"<workbook {spaces}><sheets>{tabs}</sheets></workbook>"
        parts[names["relations"]] = f'<Relationships xmlns="{PACKAGE}">{relations}</Relationships>'
        root = self._relation("r", "officeDocument", names["root"])
        parts.setdefault("_rels/.rels", f'<Relationships xmlns="{PACKAGE}">{root}</Relationships>')
        if self.links:
            links = "".join(self._relation(key, kind, target) for key, (kind, target) in self.links.items())
            parts["xl/worksheets/_rels/sheet1.xml.rels"] = f'<Relationships xmlns="{PACKAGE}">{links}</Relationships>'
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in parts.items():
                if content == "":
                    continue
                part = zipfile.ZipInfo(name)
                part.filename, part.compress_type = name, zipfile.ZIP_DEFLATED  # the constructor mends backslashes
                archive.writestr(part, content)
        return path

    def _relation(self, key: str, kind: str, target: str) -> str:
        outside = ' TargetMode="External"' if kind == "hyperlink" else ""
        return f'<Relationship Id="{key}" Type="{self.office}/{kind}" Target="{escape(target)}"{outside}/>'
