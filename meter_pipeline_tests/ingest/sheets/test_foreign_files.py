"""Files that have a spreadsheet's name and are none are called what they are."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meter_pipeline.ingest.sheets.foreign_files import foreign_archive, foreign_compound_file, foreign_file

TABLE = "<table>\r\n<tr><td>Photo</td></tr>\r\n</table>"
PAGES = {
    "div first": f"<div>\r\n\t{TABLE}</div>",
    "html": f"<html><body>{TABLE}</body></html>",
    "doctype": f"<!DOCTYPE html>\n<html>{TABLE}",
    "capitals": f"<HTML><HEAD></HEAD>{TABLE.upper()}</HTML>",
    "comment first": f"<!-- made by X -->\n<html>{TABLE}</html>",
    "many comments": "<!-- a -->\n" * 20 + TABLE,
    "xhtml": f'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0//EN" "x.dtd">\n<html>{TABLE}</html>',
    "xhtml without a type": f'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">{TABLE}</html>',
    "office page": f'<html xmlns:x="urn:schemas-microsoft-com:office:excel"><head></head>{TABLE}</html>',
    "style first": f"<style>td{{mso-number-format:'@'}}</style>{TABLE}",
    "meta first": f'<meta http-equiv="Content-Type" content="text/html; charset=utf-8">{TABLE}',
    "table": TABLE,
    "php warning": f"<br />\n<b>Warning</b>: x in y.php on line 3<br />\n{TABLE}",
    "words first": f"Report of May\r\n\r\n<html><body>{TABLE}</body></html>",
    "conditional comment": f"<!--[if gte mso 9]><xml></xml><![endif]-->{TABLE}",
    "log in": '<!doctype html><html lang="en"><head><title>Sign in</title></head></html>',
    "blank lines": f"\r\n\r\n   \t{TABLE}",
    "font": f"<font size=2>{TABLE}</font>",
    "mime": f'MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="b"\r\n\r\n--b\r\n\r\n<div>{TABLE}',
    "mime by type": f'Content-Type: multipart/related; boundary="b"\r\nMIME-Version: 1.0\r\n\r\n--b\r\n{TABLE}',
    "mime of a browser": "From: <Saved by Blink>\r\nSubject: =?utf-8?Q?x?=\r\nMIME-Version: 1.0\r\n"
    'Content-Type: multipart/related;\r\n\ttype="text/html"\r\n',
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("name", PAGES)
def test_web_pages(name: str, encoding: str) -> None:
    foreign = foreign_file(PAGES[name].encode(encoding))
    assert foreign is not None
    assert "web page" in foreign.kind
    assert "save it as .xlsx" in foreign.fix


OTHERS = {
    "XML Spreadsheet 2003": b'<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>\n<Workbook>',
    "XML Spreadsheet 2003)": b'<?xml version="1.0"?>\n<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">',
    "flat OpenDocument": b'<?xml version="1.0"?><office:document xmlns:office="x">',
    "AccessDenied": b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code><Message>Request has expired</Message>',
    "an XML file": b"<rows><row>1</row></rows>",
    "an SVG": b'<svg xmlns="http://www.w3.org/2000/svg">',
    "JPEG": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "PNG": b"\x89PNG\r\n\x1a\n\0\0",
    "HEIC": b"\0\0\0\x18ftypheic\0\0",
    "WebP": b"RIFF\x10\0\0\0WEBPVP8 ",
    "BMP": b"BM\x36\0\0\0\0\0",
    "GIF": b"GIF89a\1\0",
    "TIFF": b"II*\0\x08\0",
    "film": b"\0\0\0\x18ftypmp42\0\0",
    "PDF": b"%PDF-1.7\n%\xe2\xe3",
    "a PDF": b"\r\n%PDF-1.4\n",
    "RAR": b"Rar!\x1a\x07\0",
    "7z": b"7z\xbc\xaf\x27\x1c\0",
    "gzip": b"\x1f\x8b\x08\0",
    "zip archive": b"PK\x03",
    "Parquet": b"PAR1\x15\0\x15",
    "SQLite": b"SQLite format 3\0\x10\0",
    "Access": b"\0\x01\0\0Standard ACE DB\0",
    "Lotus": b"\0\0\x1a\0\0\x10",
    "Excel 4": b"\x09\x04\x06\x00\0\0",
    "SYLK": b"ID;PWXL;N;E\r\nP;PGeneral\r\n",
    "gsheet": json.dumps({"url": "https://docs.example/open?id=1", "doc_id": "1", "email": "a@b"}).encode(),
    "gsheet)": json.dumps({"": "WARNING!", "doc_id": "1", "resource_key": "", "email": "a@b"}, indent=1).encode(),
    "a JSON file": json.dumps([{"id": i, "url": "http://p.example/"} for i in range(3)]).encode(),
    "JSON": json.dumps({"rows": list(range(90_000))}, indent=1).encode(),
    "a link to a web page": b"[InternetShortcut]\r\nURL=http://p.example/\r\n",
    "shortcut or settings file of a Mac": b'<?xml version="1.0"?><!DOCTYPE plist PUBLIC "x"><plist version="1.0">',
    "shortcut or settings": b"bplist00\xd1\x01\x02",
    "Windows shortcut": b"L\0\0\0\x01\x14\x02\0\0\0",
    "hidden companion": b"\0\x05\x16\x07\0\x02\0\0Mac OS X",
    "zeros": bytes(5000),
    "base64": b"UEsDBBQABgAIAAAAIQBi7p1oXgEAAJAEAAATAAgCW0NvbnRlbnRfVHlwZXNdLnhtbCCi",
    "pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "mark that Excel keeps": b"\x05Marie" + b" " * 49 + b"\x05\0" + ("Marie" + " " * 49).encode("utf-16-le"),
    "e-mail": b"From: a@b.example\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nHello",
    "RTF": b"{\\rtf1\\ansi",
    "program": b"MZ\x90\0\x03\0",
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_kinds(name: str) -> None:
    foreign = foreign_file(OTHERS[name])
    assert foreign is not None
    assert name.removesuffix(")") in foreign.kind
    assert foreign.fix


TABLES = [
    b"id,url\n1,http://p.example/1.jpg\n",
    b"ID;Photo\r\n1;http://p.example/1.jpg\r\n",
    b"MZ;URL\r\n",
    b"BM,url\r\nBM1,http://p.example/1.jpg\r\n",
    b"PK;url\r\n1;http://p.example/1.jpg\r\n",
    b"ORC,PAR1\n",
    b"TABLE\n1,2\n",
    b"<url>,<name>\n",
    b'<a href="http://p.example/1.jpg">view</a>,1\n',
    b'["http://p.example/1.jpg"]\n["http://p.example/2.jpg"]\n',
    b"[text](http://p.example/1.jpg)\n",
    b"{id},{url}\n1,2\n",
    b"Date: 2026-05-01\r\nMeter;URL\r\n",
    b"id,remark\n1,see <html> page\n",
    b"%PDF,url\n",
    "电表编号,照片链接\n".encode("gbk"),
    "电表编号,照片链接\n".encode("utf-16"),
    "电表编号,照片,http://p.example/\n".encode("utf-16-le"),
    b"id\turl\0\0\0\n1\thttp://p.example/1.jpg\0\0\n",
    b"\x1b$BEE\x1b(B,url\n",
    b"",
]


@pytest.mark.parametrize("content", TABLES)
def test_tables_are_none_of_them(content: bytes) -> None:
    assert foreign_file(content) is None


def _archive(*names: str, mimetype: str | None = None) -> zipfile.ZipFile:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        if mimetype is not None:
            archive.writestr("mimetype", mimetype)
        for name in names:
            archive.writestr(name, b"")
    return zipfile.ZipFile(content)


@pytest.mark.parametrize(
    ("kind", "archive"),
    [
        ("Word", _archive("word/document.xml", "[Content_Types].xml")),
        ("PowerPoint", _archive("ppt/presentation.xml")),
        ("Numbers", _archive("Index/Document.iwa", "Index/Tables/Tile.iwa")),
        ("Numbers", _archive("Index.zip", "preview.jpg")),
        ("text document", _archive("content.xml", mimetype="application/vnd.oasis.opendocument.text")),
        ("presentation", _archive("content.xml", mimetype="application/vnd.oasis.opendocument.presentation")),
        ("holds spreadsheets", _archive("May/a.csv", "May/1.jpg")),
        ("of photos", _archive("May/1.jpg")),
        ("KMZ", _archive("doc.kml")),
        ("a zip archive", _archive("readme")),
    ],
)
def test_archives(kind: str, archive: zipfile.ZipFile) -> None:
    with archive:
        foreign = foreign_archive(archive)
    assert foreign is not None
    assert kind in foreign.kind


@pytest.mark.parametrize(
    "archive",
    [
        _archive("xl/workbook.xml"),
        _archive("xl\\workbook.xml"),
        _archive("xl/workbook.bin"),
        _archive("xl/book7.xml"),
        _archive("content.xml", mimetype="application/vnd.oasis.opendocument.spreadsheet"),
        _archive("content.xml", mimetype="application/vnd.oasis.opendocument.spreadsheet-template"),
    ],
)
def test_workbooks_are_none_of_them(archive: zipfile.ZipFile) -> None:
    with archive:
        assert foreign_archive(archive) is None


def test_old_office_files() -> None:
    assert foreign_compound_file(frozenset({"Workbook", "WordDocument"})) is None
    assert foreign_compound_file(frozenset({"Book"})) is None
    word = foreign_compound_file(frozenset({"WordDocument", "ObjectPool"}))
    assert word is not None
    assert "Word" in word.kind


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=300) | st.text(alphabet='<>!-?[{"abchtmlxb\n', max_size=300).map(str.encode))
def test_no_content_breaks_the_look(content: bytes) -> None:
    foreign_file(content)


def test_hostile_heads_cost_little() -> None:
    for piece in (b"<!--", b"<?xml ", b"<", b"[", b'{"a":', b"<!-- -->", b" \n", b"a: "):
        foreign_file(piece * (100_000 // len(piece)))
