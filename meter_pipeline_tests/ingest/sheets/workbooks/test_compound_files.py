"""Streams of old Office files."""

from __future__ import annotations

import io

import xlwt

from meter_pipeline.ingest.sheets.workbooks.compound_files import replaced, stream, top_streams


def _workbook() -> bytes:
    book = xlwt.Workbook()
    book.add_sheet("S").write(0, 0, "x" * 5000)
    saved = io.BytesIO()
    book.save(saved)
    return saved.getvalue()


def test_streams_by_name() -> None:
    content = _workbook()
    assert "Workbook" in top_streams(content)
    book = stream(content, "Nothing", "Workbook")
    assert b"x" * 5000 in book
    changed = replaced(content, "Workbook", book.replace(b"xx", b"yy"))
    assert stream(changed, "Workbook").count(b"yy") == 2500
    assert len(changed) == len(content)


def test_what_is_broken_or_missing_is_empty() -> None:
    content = _workbook()
    for broken in (b"", content[:8], content[:600], b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\xff" * 2000):
        assert stream(broken, "Workbook") == b""
        assert top_streams(broken) == frozenset()
    assert stream(content, "Book") == b""
    assert replaced(content, "Book", b"") == b""
