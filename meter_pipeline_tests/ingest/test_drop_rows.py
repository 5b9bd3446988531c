"""Drops become rows once each; a file that cannot be read stops no other, and a kill loses nothing."""

from __future__ import annotations

import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pyarrow.compute as pc
import pytest

from meter_pipeline.ingest.drop_rows import drop_problems, take_in_drops
from meter_pipeline.ingest.sheets.reading.process import ReadingProcess, ReadSheets
from meter_pipeline.settings import DownloadSettings, SheetSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DROP_ROWS, DROPS


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "data")
    layout.prepare()
    return layout


def drop(layout: Layout, name: str, *urls: str) -> Path:
    path = layout.drops / name
    path.write_text("account,url\n" + "".join(f"00{i},{url}\n" for i, url in enumerate(urls)), encoding="utf-8")
    return path


def rows(layout: Layout) -> list[tuple[str, str]]:
    table = layout.lake.read(DROP_ROWS)
    return list(zip(table["drop"].to_pylist(), table["image_url"].to_pylist(), strict=True))


def test_a_file_that_was_read_is_not_read_again(layout: Layout, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    drop(layout, "may.csv", "http://p.example/1.jpg", "nothing")
    first = take_in_drops(layout)
    assert first[["drop", "status", "rows", "refused_rows"]].values.tolist() == [["may", "read", 2, 1]]
    versions = layout.lake.version(DROPS), layout.lake.version(DROP_ROWS)
    caplog.clear()
    drop(layout, "june.csv", "http://p.example/2.jpg")
    take_in_drops(layout)
    assert [record.getMessage() for record in caplog.records] == ["Read june.csv: 1 rows, 0 of them refused"]
    (layout.drops / "june.csv").unlink()
    assert rows(layout) == [("june", "http://p.example/2.jpg"), ("may", "http://p.example/1.jpg"), ("may", "nothing")]
    assert (layout.lake.version(DROPS), layout.lake.version(DROP_ROWS)) != versions
    caplog.clear()
    take_in_drops(layout)
    assert not caplog.records
    assert len(rows(layout)) == 3, "a drop once read stays read"


def test_new_content_under_the_same_name_replaces_the_rows(layout: Layout) -> None:
    drop(layout, "may.csv", "http://p.example/1.jpg", "http://p.example/2.jpg")
    take_in_drops(layout)
    drop(layout, "may.csv", "http://p.example/3.jpg")
    take_in_drops(layout)
    assert rows(layout) == [("may", "http://p.example/3.jpg")]


def test_the_same_file_under_another_name_is_a_drop_of_its_own(layout: Layout) -> None:
    for name in ("may.csv", "MAY.tsv", "May.txt", "may copy.csv"):
        drop(layout, name, "http://p.example/1.jpg")
    names = take_in_drops(layout)["drop"].tolist()
    assert sorted(names) == ["MAY", "May_txt", "may copy", "may_csv"]
    (layout.drops / "MAY.tsv").unlink()
    assert take_in_drops(layout)["drop"].tolist() == names, "a name once given stays"


def test_a_refused_file_stops_no_other_and_is_forgotten_when_taken_away(layout: Layout) -> None:
    (layout.drops / "broken.xlsx").write_bytes(b"PK\x03\x04 broken")
    (layout.drops / "notes.pdf").write_bytes(b"%PDF")
    drop(layout, "good.csv", "http://p.example/1.jpg")
    drops = take_in_drops(layout).set_index("drop")
    assert drops["status"].to_dict() == {"broken": "refused", "good": "read", "notes": "refused"}
    assert "not whole" in str(drops.loc["broken", "reason"])
    assert [problem.split(":")[0] for problem in drop_problems(layout)] == ["broken.xlsx", "notes.pdf"]
    (layout.drops / "broken.xlsx").unlink()
    (layout.drops / "notes.pdf").unlink()
    assert drop_problems(layout) == []
    assert take_in_drops(layout)["drop"].tolist() == ["good"]


def test_a_broken_new_version_leaves_the_rows_of_the_old_one(layout: Layout) -> None:
    path = drop(layout, "may.csv", "http://p.example/1.jpg")
    take_in_drops(layout)
    whole = path.read_bytes()
    path.write_bytes(b"")
    drops = take_in_drops(layout)
    assert drops["status"].tolist() == ["refused"]
    assert "read before stand" in drops["reason"].iloc[0]
    assert rows(layout) == [("may", "http://p.example/1.jpg")]
    path.write_bytes(whole)
    assert take_in_drops(layout)["status"].tolist() == ["read"]


def test_another_setting_reads_the_files_again(layout: Layout) -> None:
    (layout.drops / "a.csv").write_text("front,back\nhttp://p.example/f.jpg,http://p.example/b.jpg\n", encoding="utf-8")
    take_in_drops(layout, SheetSettings(url_column="front"))
    assert [url for _, url in rows(layout)] == ["http://p.example/f.jpg"]
    take_in_drops(layout, SheetSettings(url_column="back"))
    assert [url for _, url in rows(layout)] == ["http://p.example/b.jpg"]


def test_killed_between_the_two_tables_the_next_run_comes_to_the_same(layout: Layout) -> None:
    drop(layout, "a.csv", "http://p.example/1.jpg")
    take_in_drops(layout)
    expected = layout.lake.version(DROPS), layout.lake.version(DROP_ROWS)
    layout.lake.replace(DROPS, layout.lake.read(DROPS).filter(pc.field("drop") == "nothing"))
    take_in_drops(layout)
    assert (layout.lake.version(DROPS), layout.lake.version(DROP_ROWS)) == expected


def test_where_the_table_of_names_was_lost_files_are_the_drops_that_they_were(layout: Layout) -> None:
    first = drop(layout, "may.csv", "http://p.example/1.jpg")
    drop(layout, "may.tsv", "http://p.example/2.jpg")
    assert sorted(take_in_drops(layout)["drop"]) == ["may", "may_tsv"]
    before = layout.lake.version(DROP_ROWS)
    first.unlink()
    layout.lake.replace(DROPS, layout.lake.read(DROPS).slice(0, 0))
    assert take_in_drops(layout)["drop"].tolist() == ["may_tsv"]
    assert layout.lake.version(DROP_ROWS) == before
    layout.lake.replace(DROPS, layout.lake.read(DROPS).slice(0, 0))
    drop(layout, "may.tsv", "http://p.example/3.jpg")
    take_in_drops(layout)
    assert {url for _, url in rows(layout)} >= {"http://p.example/1.jpg", "http://p.example/3.jpg"}


def test_a_spreadsheet_in_a_folder_is_a_drop_named_after_both(layout: Layout) -> None:
    for folder in ("May", "June"):
        (layout.drops / folder).mkdir()
        drop(layout, f"{folder}/inside.csv", f"http://p.example/{folder}.jpg")
    drop(layout, "May_inside.csv", "http://p.example/1.jpg")
    drops = take_in_drops(layout)
    assert dict(zip(drops["file_name"], drops["drop"], strict=True)) == {
        "June/inside.csv": "June_inside",
        "May/inside.csv": "May_inside",
        "May_inside.csv": "May_inside_csv",
    }
    assert ("June_inside", "http://p.example/June.jpg") in rows(layout)


def test_links_are_refused_with_a_note_and_a_drop_that_became_one_keeps_its_rows(
    layout: Layout, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("url\nhttp://p.example/secret.jpg\n", encoding="utf-8")
    path = drop(layout, "may.csv", "http://p.example/1.jpg")
    take_in_drops(layout)
    path.unlink()
    path.symlink_to(secret)
    (layout.drops / "other").symlink_to(tmp_path)
    drops = take_in_drops(layout)
    assert drops["status"].tolist() == ["refused", "refused"]
    assert all("links are not followed" in reason for reason in drops["reason"])
    assert rows(layout) == [("may", "http://p.example/1.jpg")]
    assert len(drop_problems(layout)) == 2


def test_names_and_cells_that_are_no_text_stop_nothing(layout: Layout) -> None:
    drop(layout, os.fsdecode(b"Z\xe4hler.csv"), "http://p.example/1.jpg")
    (layout.drops / os.fsdecode(b"\xe4.xlsx")).write_bytes(b"PK\x03\x04 broken")
    drops = take_in_drops(layout)
    assert drops["file_name"].tolist() == ["Z\\udce4hler.csv", "\\udce4.xlsx"]
    assert drops["status"].tolist() == ["read", "refused"]
    assert take_in_drops(layout)["drop"].tolist() == drops["drop"].tolist()


def costly(layout: Layout) -> Path:
    """A small file that needs more memory than the least limit: a value repeated over a million cells."""
    path = layout.drops / "costly.ods"
    namespaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    repeated = 'table:number-columns-repeated="100"'
    cell = f'<table:table-cell office:value-type="string" {repeated}><text:p>{"r" * 300}</text:p></table:table-cell>'
    content = (
        f'<?xml version="1.0"?><office:document-content {namespaces}><office:body><office:spreadsheet>'
        f'<table:table table:name="S"><table:table-row table:number-rows-repeated="20000">'
        f"{cell}</table:table-row></table:table>"
        "</office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        manifest = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
        archive.writestr(
            "META-INF/manifest.xml", f'<?xml version="1.0"?><manifest:manifest xmlns:manifest="{manifest}"/>'
        )
        archive.writestr("content.xml", content)
    return path


def test_a_file_refused_for_its_cost_is_read_again_only_with_a_higher_limit(
    layout: Layout, caplog: pytest.LogCaptureFixture
) -> None:
    costly(layout)
    drop(layout, "good.csv", "http://p.example/1.jpg")

    def started(choice: SheetSettings) -> bool:
        started_before = psutil.Process().cpu_times().children_user
        drops = take_in_drops(layout, choice).set_index("drop")
        assert drops["status"].to_dict() == {"costly": "refused", "good": "read"}
        return psutil.Process().cpu_times().children_user > started_before

    assert started(SheetSettings(sheet_memory_mb=300))
    (problem,) = drop_problems(layout)
    assert "more than 300 MB of memory" in problem
    assert "METER_SHEET_MEMORY_MB" in problem
    assert not started(SheetSettings(sheet_memory_mb=300))
    assert not started(SheetSettings(sheet_memory_mb=200))
    assert not started(SheetSettings(sheet_memory_mb=300, sheet_seconds=1000)), "that was not the limit it hit"
    assert started(SheetSettings(sheet_memory_mb=320))
    assert started(SheetSettings(sheet_memory_mb=320, url_column="url"))


def test_many_urls_in_a_cell_beside_a_long_remark_cost_what_the_file_is(layout: Layout) -> None:
    urls = " ".join(f"http://p.example/{number}" for number in range(20_000))
    (layout.drops / "a.csv").write_text(f"url,remark\n{urls},{'r' * 900_000}\n", encoding="utf-8")
    drops = take_in_drops(layout)
    assert drops["rows"].tolist() == [20_000]
    table = layout.lake.read(DROP_ROWS, ["other_columns", "cells_position"])
    assert table.nbytes < 5_000_000
    assert table["other_columns"].null_count == 19_999
    assert table["cells_position"].unique().to_pylist() == [0]


def test_an_error_that_nobody_foresaw_is_one_drops_refusal(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    read = ReadingProcess.read

    def fails(self: ReadingProcess, path: Path, **options: Any) -> ReadSheets:
        if path.stem == "bad":
            raise ZeroDivisionError("secret of row 7")
        return read(self, path, **options)

    monkeypatch.setattr(ReadingProcess, "read", fails)
    for name in ("bad.csv", "good.csv"):
        drop(layout, name, "http://p.example/1.jpg")
    drops = take_in_drops(layout).set_index("drop")
    assert drops["status"].to_dict() == {"bad": "refused", "good": "read"}
    assert "ZeroDivisionError" in caplog.text
    assert "secret" not in caplog.text
    monkeypatch.undo()
    assert set(take_in_drops(layout)["status"]) == {"read"}, "it is tried again"


def test_columns_in_doubt_are_looked_at_and_the_file_is_read_again(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    calls: list[dict[str, Any]] = []
    whole = ReadSheets("0" * 64, [], 0, 0, passed_over=["Map (links to maps)"])

    def read(self: ReadingProcess, path: Path, **options: Any) -> ReadSheets:
        calls.append(options)
        return whole if "looked" in options else replace(whole, in_doubt=["http://p.example/1"])

    def look(urls: list[str], settings: DownloadSettings) -> dict[str, bool]:
        asked.append(urls)
        if len(asked) > 1:
            raise TimeoutError
        return {"http://p.example/1": True}

    monkeypatch.setattr(ReadingProcess, "read", read)
    monkeypatch.setattr("meter_pipeline.ingest.web.looking.photos_behind", look)
    drop(layout, "a.csv", "http://p.example/1")
    drops = take_in_drops(layout, downloads=DownloadSettings())
    assert asked == [["http://p.example/1"]]
    assert calls == [{"only_if_sure": True}, {"looked": {"http://p.example/1": True}}]
    assert drops["passed_over"].tolist() == ["Map (links to maps)"]
    drop(layout, "b.csv", "http://p.example/1")
    take_in_drops(layout, downloads=DownloadSettings())
    assert calls[-1] == {"looked": {}}, "a look that fails leaves it to the file"
    drop(layout, "c.csv", "http://p.example/1")
    take_in_drops(layout)
    assert calls[-1] == {}, "without the settings of downloads nothing is asked"
