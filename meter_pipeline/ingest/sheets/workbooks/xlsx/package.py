"""Which part of an xlsx workbook is which, as spreadsheet programs find it: by relations, not by fixed names.

Some programs name parts with backslashes, a leading slash or other capitals; spreadsheet programs open those too.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from posixpath import join, normpath
from urllib.parse import unquote

from meter_pipeline.ingest.sheets.workbooks.workbook_parts import attribute, chunks, elements, tag

_ROOT_RELATIONS, _CONTENT_TYPES = "_rels/.rels", "[content_types].xml"
_HEAD_BYTES = 5_000
_WORKBOOK_TYPES = ("sheet.main+xml", "template.main+xml", "sheet.macroenabled.main+xml", "addin.macroenabled.main+xml")


@dataclass(frozen=True)
class Relation:
    """What one part says of another.

    Attributes:
        kind: the last word of its type, such as `worksheet`.
        target: a URL if it is external, otherwise the part's name as the part that names it has it.
        external: whether the target is outside the workbook.
    """

    kind: str
    target: str
    external: bool


@dataclass(frozen=True)
class SheetPart:
    """A sheet of the workbook.

    Attributes:
        name: as on its tab.
        relation: id of the workbook's relation to it.
        kind: `worksheet`, `chartsheet`, ...
        part: the name of its part in the archive; empty if it is missing.
    """

    name: str
    relation: str
    kind: str
    part: str


@dataclass(frozen=True)
class Package:
    """An xlsx workbook's parts; names are as in the archive, empty if there is no such part.

    Attributes:
        names: names in the archive by their normal form.
        workbook: the part with the list of sheets.
        sheets: in the workbook's order.
        strings: the part with texts that cells share.
        styles: the part with number formats.
    """

    names: Mapping[str, str]
    workbook: str
    sheets: list[SheetPart]
    strings: str
    styles: str

    def relations(self, archive: zipfile.ZipFile, part: str) -> dict[str, Relation]:
        """Return the relations of a part by their ids."""
        return _relations(archive, self.names, part)

    def related(self, archive: zipfile.ZipFile, part: str, kind: str) -> list[str]:
        """Return the names of the parts inside the archive to which a part has relations of this kind."""
        found = self.relations(archive, part).values()
        parts = [resolved(self.names, part, r.target) for r in found if r.kind == kind and not r.external]
        return [part for part in parts if part]

    @property
    def unusual(self) -> bool:
        """Whether the parts with texts and formats are where the reader does not look for them, without a word."""
        usual = {self.strings: "xl/sharedstrings.xml", self.styles: "xl/styles.xml"}
        return any(name and name.lower() != where for name, where in usual.items())


def package_of(archive: zipfile.ZipFile) -> Package | None:
    """Return the parts of an xlsx workbook; None if the archive is something else.

    Raises:
        ParseError: the XML is broken.
        DefusedXmlException: the XML declares entities, which no spreadsheet program writes.
    """
    names: dict[str, str] = {}
    for name in archive.namelist():
        names.setdefault(_normal(name), name)
    workbook = _workbook(archive, names)
    if not workbook:
        return None
    relations = _relations(archive, names, workbook)
    sheets = []
    for element in elements(archive, workbook):
        if tag(element) == "sheet":
            identity = attribute(element, "id")
            relation = relations.get(identity, Relation("worksheet", "", False))
            part = resolved(names, workbook, relation.target) if relation.target else ""
            sheets.append(SheetPart(element.get("name", ""), identity, relation.kind, part))
    first = dict.fromkeys(("sharedStrings", "styles"), "")
    for relation in relations.values():
        if not first.get(relation.kind, "-"):
            first[relation.kind] = resolved(names, workbook, relation.target)
    beside = workbook.replace("\\", "/").rpartition("/")[0]
    for kind, found in first.items():
        # Some programs leave the relation out and still use the part; readers find it by its usual name.
        first[kind] = found or names.get(_normal(f"{beside}/{kind}.xml"), "")
    return Package(names, workbook, sheets, first["sharedStrings"], first["styles"])


def resolved(names: Mapping[str, str], part: str, target: str) -> str:
    """Return the name in the archive of a relation's target, seen from the part that names it; empty if missing."""
    target = target.replace("\\", "/")
    folder = part.replace("\\", "/").lstrip("/").rpartition("/")[0]
    for candidate in (target, unquote(target)):
        path = candidate if candidate.startswith("/") else join(folder, candidate)
        found = names.get(_normal(normpath(path))) or names.get(_normal(normpath(candidate)))
        if found:
            return found
    return ""


def _normal(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").removeprefix("./").lower()


def _workbook(archive: zipfile.ZipFile, names: Mapping[str, str]) -> str:
    """Return the name of the workbook's part: by the archive's own relations, its content types, or its usual name."""
    root = names.get(_ROOT_RELATIONS, "")
    if root:
        for element in elements(archive, root):
            if tag(element) == "Relationship" and element.get("Type", "").endswith("/officeDocument"):
                found = resolved(names, "", element.get("Target", ""))
                if found.lower().endswith(".xml") and _is_workbook(archive, found):
                    return found
    types = names.get(_CONTENT_TYPES, "")
    if types:
        for element in elements(archive, types):
            if tag(element) == "Override" and element.get("ContentType", "").lower().endswith(_WORKBOOK_TYPES):
                found = resolved(names, "", element.get("PartName", ""))
                if found:
                    return found
    return names.get("xl/workbook.xml", "") or next(
        (name for normal, name in names.items() if normal.endswith("/workbook.xml") or normal == "workbook.xml"), ""
    )


def _is_workbook(archive: zipfile.ZipFile, part: str) -> bool:
    """Return whether a part is a workbook, and not a document or a presentation."""
    return b"workbook" in next(chunks(archive, part), b"")[:_HEAD_BYTES]


def _relations(archive: zipfile.ZipFile, names: Mapping[str, str], part: str) -> dict[str, Relation]:
    folder, _, name = _normal(part).rpartition("/")
    its_relations = names.get(f"{folder}/_rels/{name}.rels" if folder else f"_rels/{name}.rels", "")
    if not its_relations:
        return {}
    return {
        element.get("Id", ""): Relation(
            element.get("Type", "").rpartition("/")[2],
            element.get("Target", ""),
            element.get("TargetMode", "").lower() == "external",
        )
        for element in elements(archive, its_relations)
        if tag(element) == "Relationship"
    }
