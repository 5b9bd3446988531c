"""What a file is that has a spreadsheet's name and is none: a web page, a picture, a shortcut, an archive of files.

The person who dropped it reads what it is and how to mend it, instead of that a workbook is damaged.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

_HEAD_BYTES = 64 * 1024
_SAVE_ROWS = "Save the rows as .xlsx or .csv."
_UNPACK = "Unpack it, and drop the spreadsheets that are inside."
_SAVE_AS = "Open it in the spreadsheet program and save it as .xlsx."


@dataclass(frozen=True)
class Foreign:
    """What a file is instead of a spreadsheet.

    Attributes:
        kind: with its article, so that "This is ..." goes before it.
        fix: what to do.
    """

    kind: str
    fix: str


_WEB_PAGE = Foreign(
    "a web page (HTML), not a workbook",
    "Open it in the spreadsheet program and save it as .xlsx. If it shows a page to log in, download the file again.",
)
_WEB_ARCHIVE = Foreign("a web page saved as one file (MHT web archive), not a workbook", _SAVE_AS)
_BROKEN_ZIP = Foreign("the beginning or the end of a zip archive", "Copy it again; the copy may not have finished.")
_SHORTCUT = "It only points to the file: open it and download the spreadsheet as .xlsx."
_ONLY_ZEROS = Foreign(
    "a file of zeros: its content never arrived", "Copy it again once the cloud folder or the copy has finished."
)

_MAGIC: tuple[tuple[bytes, Foreign], ...] = tuple(
    (magic, Foreign(kind, fix))
    for magic, kind, fix in (
        (b"\xff\xd8\xff", "a JPEG photo", "Drop a spreadsheet with the photo's URL."),
        (b"\x89PNG\r\n\x1a\n", "a PNG picture", "Drop a spreadsheet with the picture's URL."),
        (b"GIF87a", "a GIF picture", "Drop a spreadsheet with the picture's URL."),
        (b"GIF89a", "a GIF picture", "Drop a spreadsheet with the picture's URL."),
        (b"II*\0", "a TIFF picture", "Drop a spreadsheet with the picture's URL."),
        (b"MM\0*", "a TIFF picture", "Drop a spreadsheet with the picture's URL."),
        (b"8BPS", "a Photoshop picture", "Drop a spreadsheet with the picture's URL."),
        (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
        (b"\x1f\x8b", "a gzip archive", _UNPACK),
        (b"BZh", "a bzip2 archive", _UNPACK),
        (b"\xfd7zXZ\0", "an xz archive", _UNPACK),
        (b"\x28\xb5\x2f\xfd", "a Zstandard archive", _UNPACK),
        (b"MSCF", "a cabinet archive", _UNPACK),
        (b"PAR1", "a Parquet file", _SAVE_ROWS),
        (b"ARROW1", "an Arrow file", _SAVE_ROWS),
        (b"FEA1", "a Feather file", _SAVE_ROWS),
        (b"Obj\x01", "an Avro file", _SAVE_ROWS),
        (b"ORC", "an ORC file", _SAVE_ROWS),
        (b"SQLite format 3\0", "an SQLite database", "Save the rows of its table as .csv."),
        (b"\0\x01\0\0Standard Jet DB", "an Access database", "Export its table as .xlsx."),
        (b"\0\x01\0\0Standard ACE DB", "an Access database", "Export its table as .xlsx."),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _SAVE_ROWS),
        (b"\x93NUMPY", "a NumPy file", _SAVE_ROWS),
        (b"$FL2", "an SPSS file", _SAVE_ROWS),
        (b"<stata_dta>", "a Stata file", _SAVE_ROWS),
        (b"L\0\0\0\x01\x14\x02\0", "a Windows shortcut (.lnk)", _SHORTCUT),
        (b"bplist00", "a shortcut or settings file of a Mac", _SHORTCUT),
        (b"\0\x05\x16\x07", "the hidden companion (._) that a Mac writes beside a file", "Delete it; drop the file."),
        (b"\0\x05\x16\x00", "the hidden companion that a Mac writes beside a file", "Delete it; drop the file."),
        (b"{\\rtf", "a text document (RTF)", _SAVE_ROWS),
        (b"MZ", "a Windows program", "Drop a spreadsheet."),
        (b"\x7fELF", "a program", "Drop a spreadsheet."),
        (b"\x09\x00\x04\x00", "a workbook of Excel 2", _SAVE_AS),
        (b"\x09\x02\x06\x00", "a workbook of Excel 3", _SAVE_AS),
        (b"\x09\x04\x06\x00", "a workbook of Excel 4", _SAVE_AS),
        (b"\0\0\x02\0\x04\x04\x06\0", "a Lotus 1-2-3 workbook", _SAVE_AS),
        (b"\0\0\x02\0\x06\x04\x06\0", "a Lotus 1-2-3 workbook", _SAVE_AS),
        (b"\0\0\x1a\0", "a Lotus 1-2-3 workbook", _SAVE_AS),
        (b"\xff\0\x02\0\x04\x04", "a Quattro Pro workbook", _SAVE_AS),
        (b"TABLE\r\n0,1\r\n", "a DIF file", _SAVE_AS),
        (b"TABLE\n0,1\n", "a DIF file", _SAVE_AS),
        (b"-----BEGIN PGP", "an encrypted message (PGP)", "Decrypt it, and drop the spreadsheet."),
        (b"version https://git-lfs", "a pointer of Git LFS, not the file", "Fetch the file with `git lfs pull`."),
        (b"[InternetShortcut]", "a link to a web page (.url)", _SHORTCUT),
        (b"[{000214A0", "a link to a web page (.url)", _SHORTCUT),
        (b"[Desktop Entry]", "a shortcut (.desktop)", _SHORTCUT),
        (b"UEsDBBQA", "a workbook as base64 text, as in the source of an e-mail", "Save the attachment itself."),
        (b"0M8R4KGx", "a workbook as base64 text, as in the source of an e-mail", "Save the attachment itself."),
        (b"\xca\xfe\xba\xbe", "a program", "Drop a spreadsheet."),
    )
)
_EARLY_PDF_BYTES = 1024
"""Readers of PDF look for its mark this far."""
_OWNER_FILE_BYTES, _OWNER_NAME_BYTES = (162, 165), 55

_PROLOG = re.compile(r"\s+|<\?(?!mso-application)[^>]{0,2000}\?>|<!--.{0,20000}?-->", re.DOTALL)
_MAX_PROLOG_PARTS = 100
_TAG = re.compile(r"<\??!?([a-z][\w:.-]{0,60})", re.IGNORECASE)
_DECLARED = re.compile(r"<!doctype\s+([\w:.-]{1,60})", re.IGNORECASE)
_PAGE_TAGS = re.compile(
    "html|head|body|table|thead|tbody|tr|meta|style|div|title|script|center|form|link|noscript|frameset|section|main"
    "|article|header|h[1-6]|base"
)
_INLINE_TAGS = re.compile("a|img|b|i|u|p|br|span|font|strong|em|pre|hr|ul|ol|td|th")
"""A cell may begin with one of these; it is a page only with a page's tag further on."""
_PAGE_WITHIN = re.compile(r"<(?:html|body|table|head)[\s>]", re.IGNORECASE)
_PAGE_AT_A_LINE = re.compile(r"^[ \t]*<(?:!doctype\s+html|html[\s>])", re.IGNORECASE | re.MULTILINE)
_HEADER_LINE = re.compile(r"[A-Za-z][A-Za-z-]{1,40}:[ \t]")
_MIME = re.compile(r"^(?:mime-version:|content-type:[ \t]*multipart/)", re.IGNORECASE | re.MULTILINE)
_SYLK = re.compile(r"ID;P[A-Z0-9;.]*\r?\n[BCPFO];")
"""A table with the columns `ID;Photo` begins as a SYLK file does, which once made Excel refuse such tables."""
_STORE_ERROR = re.compile(r"<error\b.{0,200}?<code>(\w{1,60})</code>", re.IGNORECASE | re.DOTALL)


def foreign_file(content: bytes) -> Foreign | None:
    """Return what a file is that is neither a zip archive nor a compound file; None if it may be a text table."""
    head = content[:_HEAD_BYTES]
    if head and not head.strip(b"\0"):
        return _ONLY_ZEROS
    plain = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, foreign in _MAGIC:
        letters = magic.isalnum() or magic == b"$FL2"
        # A few letters may begin a text as well; what they are the mark of is binary.
        if head.startswith(magic) and (not letters or len(magic) > 6 or b"\0" in head):
            return foreign
        if magic.startswith((b"[", b"-", b"{")) and plain.startswith(magic):
            return foreign
    if len(content) in _OWNER_FILE_BYTES and 0 < content[0] < _OWNER_NAME_BYTES and content[0] == content[55]:
        return Foreign("the mark that Excel keeps while a workbook is open", "Close the workbook, and drop it itself.")
    if (foreign_of := _of_container(head)) is not None:
        return foreign_of
    return _of_text(content, head)


def _of_container(head: bytes) -> Foreign | None:
    if head.startswith(b"PK"):
        return _BROKEN_ZIP if head[2:4] in {b"\x05\x06", b"\x07\x08", b"\x01\x02", b"\x03"} else None
    if b"%PDF-" in head[:_EARLY_PDF_BYTES]:
        return Foreign("a PDF", _SAVE_ROWS)
    if head[:4] == b"RIFF":
        picture = head[8:12] == b"WEBP"
        return Foreign("a WebP picture" if picture else "a sound or film", "Drop a spreadsheet with the photos' URLs.")
    if head[:2] == b"BM" and b"\0" in head[:14]:
        return Foreign("a BMP picture", "Drop a spreadsheet with the picture's URL.")
    if head[4:8] == b"ftyp":
        photo = head[8:12] in {b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif"}
        return Foreign("a HEIC or AVIF photo" if photo else "a film", "Drop a spreadsheet with the photos' URLs.")
    if head[257:262] == b"ustar":
        return Foreign("a tar archive", _UNPACK)
    return None


def _of_text(content: bytes, head: bytes) -> Foreign | None:
    text = _text_of(head)
    if text is None:
        return Foreign("a damaged file, or no spreadsheet", "Copy it again, or save it again as .xlsx.")
    if _SYLK.match(text):
        return Foreign("a SYLK file", _SAVE_AS)
    markup = _without_prolog(text)
    if markup.startswith("<"):
        return _of_markup(markup, prolog="<?xml" in text[:200].lower())
    if _HEADER_LINE.match(markup) and _MIME.search(text[:8000]):
        page = re.search(r"multipart/related|text/html", text, re.IGNORECASE)
        return _WEB_ARCHIVE if page else Foreign("an e-mail", "Save the spreadsheet that is attached to it.")
    if _PAGE_AT_A_LINE.search(text[:8000]):
        return _WEB_PAGE
    return _of_json(content, markup) if markup.startswith(("{", "[")) else None


def _text_of(head: bytes) -> str | None:
    """Return the head as text of which only the ASCII part matters; None if it is none."""
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8")):
        if head.startswith(mark):
            return head[len(mark) :].decode(encoding, "replace")
    sample = head[:4000]
    half = max(1, len(sample) // 2)
    if sample[1::2].count(0) > 0.3 * half and sample[0::2].count(0) < 0.1 * half:
        return head[: len(head) & ~1].decode("utf-16-le", "replace")
    if sample[0::2].count(0) > 0.3 * half and sample[1::2].count(0) < 0.1 * half:
        return head[: len(head) & ~1].decode("utf-16-be", "replace")
    # Old programs fill up cells with zeros; what has other control characters as well is another kind of file.
    signs = sum(0 < byte < 0x20 and byte not in b"\x01\t\n\r\x0b\x0c\x1a\x1b\x1f" for byte in sample)
    if signs > (max(4, (len(sample) - sample.count(0)) // 50) if 0 in sample else max(64, len(sample) // 20)):
        return None
    return head.decode("latin-1")


def _without_prolog(text: str) -> str:
    at = 0
    for _ in range(_MAX_PROLOG_PARTS):
        found = _PROLOG.match(text, at)
        if not found:
            break
        at = found.end()
    return text[at:]


def _of_markup(markup: str, *, prolog: bool) -> Foreign | None:
    lower = markup[:8000].lower()
    if 'progid="excel.sheet"' in lower or "urn:schemas-microsoft-com:office:spreadsheet" in lower[:3000]:
        page = lower.startswith(("<html", "<!doctype html"))
        return _WEB_PAGE if page else Foreign("an XML Spreadsheet 2003, not a workbook", _SAVE_AS)
    if lower.startswith("<?mso-application"):
        return Foreign("an Office document in XML", _SAVE_ROWS)
    found = _TAG.match(markup)
    if found is None:
        return Foreign("an XML file", _SAVE_AS) if prolog or lower.startswith("<?") else None
    name = found.group(1).lower()
    if name == "doctype" and (declared := _DECLARED.match(markup)) is not None:
        name = declared.group(1).lower()
    if _PAGE_TAGS.fullmatch(name) or (_INLINE_TAGS.fullmatch(name) and _PAGE_WITHIN.search(markup)):
        return _WEB_PAGE
    if (stored := _STORE_ERROR.match(markup[:1000])) is not None:
        return Foreign(
            f"the error message {stored.group(1)} of a file store, not the file", "Get a new link, and download again."
        )
    if name == "plist":
        return Foreign("a shortcut or settings file of a Mac", _SHORTCUT)
    if name == "svg":
        return Foreign("an SVG picture", "Drop a spreadsheet with the photos' URLs.")
    if name == "office:document":
        return Foreign("a flat OpenDocument file (.fods)", "Open it and save it as .ods or .xlsx.")
    if _INLINE_TAGS.fullmatch(name):
        return None
    is_xml = prolog or "xmlns" in lower or f"</{name}>" in lower or lower.startswith("<?")
    return Foreign("an XML file", _SAVE_AS) if is_xml else None


def _of_json(content: bytes, text: str) -> Foreign | None:
    """A first cell may begin with a bracket; JSON is what is read as such, or lines that are."""
    first_line = text.partition("\n")[0]
    whole = content.decode("utf-8-sig", "replace") if len(content) <= _HEAD_BYTES else ""
    for candidate in (whole, first_line):
        try:
            found = json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            if {"url", "doc_id", "resource_id"} & found.keys() and len(found) <= 8:
                return Foreign("a shortcut to a Google document (.gsheet)", _SHORTCUT)
            return Foreign("a JSON file", _SAVE_ROWS)
        if isinstance(found, list) and found and all(isinstance(item, (dict, list)) for item in found):
            return Foreign("a JSON file", _SAVE_ROWS)
    if re.match(r"[\[{]\s*(?:[\[{]\s*)?[\r\n]\s*[\"{]", text):
        return Foreign("a JSON file", _SAVE_ROWS)
    return None


_Names = frozenset[str]
_PACKAGES: tuple[tuple[Callable[[_Names], bool], Foreign], ...] = (
    (lambda names: "word/document.xml" in names, Foreign("a Word document", _SAVE_ROWS)),
    (lambda names: "ppt/presentation.xml" in names, Foreign("a PowerPoint presentation", _SAVE_ROWS)),
    (lambda names: "visio/document.xml" in names, Foreign("a Visio drawing", _SAVE_ROWS)),
    (
        lambda names: "index/document.iwa" in names or "index.zip" in names or "index.apxl" in names,
        Foreign("a document of Apple's Numbers, Pages or Keynote", "Export it as Excel (.xlsx) or CSV from Numbers."),
    ),
    (lambda names: "doc.kml" in names, Foreign("a map file (KMZ)", _SAVE_ROWS)),
    (
        lambda names: "fixeddocseq.fdseq" in names or "fixeddocumentsequence.fdseq" in names,
        Foreign("an XPS document", _SAVE_ROWS),
    ),
    (lambda names: "androidmanifest.xml" in names, Foreign("an Android program", "Drop a spreadsheet.")),
    (lambda names: "meta-inf/manifest.mf" in names, Foreign("a Java program", "Drop a spreadsheet.")),
)
_OPEN_DOCUMENTS = {
    "text": "a text document (ODT)",
    "presentation": "a presentation (ODP)",
    "graphics": "a drawing (ODG)",
}
_TABLE_ENDS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".csv", ".tsv")
_PHOTO_ENDS = (".jpg", ".jpeg", ".png", ".heic", ".webp", ".tif", ".tiff")


def foreign_archive(archive: zipfile.ZipFile) -> Foreign | None:
    """Return what a zip archive is that is no workbook; None if it may be one."""
    parts = archive.infolist()
    names = frozenset(part.filename.replace("\\", "/").lower().lstrip("/") for part in parts)
    for is_it, foreign in _PACKAGES:
        if is_it(names):
            return foreign
    mimetype = next((part for part in parts if part.filename == "mimetype" and part.file_size < 200), None)
    if mimetype is not None:
        try:
            kind = archive.read(mimetype).decode("ascii", "replace").rpartition("opendocument.")[2]
        except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError, zlib.error):
            kind = ""  # what is broken in the archive is said where its parts are read
        for name, words in _OPEN_DOCUMENTS.items():
            if kind.startswith(name):
                return Foreign(words, _SAVE_ROWS)
        if "epub" in kind:
            return Foreign("an e-book (EPUB)", _SAVE_ROWS)
    if any(name.rpartition("/")[2].startswith(("workbook", "content.xml")) for name in names) or any(
        name.endswith(("workbook.xml", "workbook.bin")) for name in names
    ):
        return None
    if any(name.startswith("xl/") for name in names):
        return None  # a workbook whose main part has a name of its own
    tables = sorted(name for name in names if name.endswith(_TABLE_ENDS))
    if tables:
        return Foreign("a zip archive that holds spreadsheets", _UNPACK)
    if any(name.endswith(_PHOTO_ENDS) for name in names):
        return Foreign("a zip archive of photos", "Drop a spreadsheet with the photos' URLs.")
    return Foreign("a zip archive", "Save the rows as .xlsx or .csv.")


_COMPOUND_KINDS = {
    "WordDocument": "an old Word document",
    "PowerPoint Document": "an old PowerPoint presentation",
    "VisioDocument": "an old Visio drawing",
    "__properties_version1.0": "an Outlook message",
    "Catalog": "a folder's picture cache (Thumbs.db)",
    "SwDocContentMgr": "a drawing of SolidWorks",
}


def foreign_compound_file(streams: frozenset[str]) -> Foreign | None:
    """Return what an old Office file is that is no workbook.

    Args:
        streams: names of the streams at its top, as `compound_file.top_streams` gives them.
    """
    if {name.lower() for name in streams} & {"workbook", "book"}:
        return None
    for name, kind in _COMPOUND_KINDS.items():
        if name in streams:
            return Foreign(kind, _SAVE_ROWS)
    return Foreign("an old Office file, but not a workbook", _SAVE_ROWS)
