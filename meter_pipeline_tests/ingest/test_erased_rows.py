"""What was erased by URL or cell does not come back with its spreadsheet, and the file that says so tells nothing."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from meter_pipeline.errors import MeterError
from meter_pipeline.ingest.drop_rows import take_in_drops
from meter_pipeline.ingest.erased_rows import ErasedRows, without_rows
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DROP_ROWS, DROPS

SHEET = "Customer,photo,second\nR. Das,http://p.example/1.jpg,http://p.example/2.jpg\nB. Rao,http://p.example/3.jpg,\n"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "data")
    layout.prepare()
    (layout.drops / "may.csv").write_text(SHEET, encoding="utf-8")
    return layout


def urls(layout: Layout) -> list[str]:
    take_in_drops(layout)
    return layout.lake.read(DROP_ROWS)["image_url"].to_pylist()


def test_an_erased_cell_takes_all_urls_of_its_row_whatever_case_and_blanks(layout: Layout) -> None:
    ErasedRows().with_cell("customer ", " r.  DAS").write(layout)
    assert urls(layout) == ["http://p.example/3.jpg"]
    assert layout.lake.frame(DROPS)[["rows", "refused_rows"]].values.tolist() == [[1, 0]]
    content = layout.erased.read_text(encoding="utf-8").lower()
    assert not any(word in content for word in ("das", "p.example"))


def test_the_cells_of_a_row_stay_with_its_other_urls_when_one_is_erased(layout: Layout) -> None:
    ErasedRows().with_url("http://p.example/1.jpg").write(layout)
    assert urls(layout) == ["http://p.example/2.jpg", "http://p.example/3.jpg"]
    rows = layout.lake.read(DROP_ROWS)
    assert rows["position"].to_pylist() == rows["cells_position"].to_pylist() == [1, 2]
    assert "R. Das" in rows["other_columns"][0].as_py()


def test_rows_without_an_entry_are_left_as_they_are(layout: Layout) -> None:
    assert len(urls(layout)) == 3
    rows = layout.lake.read(DROP_ROWS)
    erased = ErasedRows().with_url("http://p.example/9.jpg").with_photos(["ab"])
    assert erased.without(rows) is rows
    assert without_rows(rows, erased.among(rows)).equals(rows)
    assert (erased.has_photo("ab"), erased.has_photo("cd")) == (True, False)
    assert not ErasedRows().among(pa.Table.from_batches([], DROP_ROWS.schema)).any()


@pytest.mark.parametrize("change", [lambda text: text[: len(text) // 2], lambda text: text.replace('"urls"', '"url"')])
def test_a_damaged_list_stops_the_reading_rather_than_letting_rows_come_back(layout: Layout, change) -> None:  # type: ignore[no-untyped-def]
    ErasedRows().with_url("http://p.example/1.jpg").write(layout)
    layout.erased.write_text(change(layout.erased.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(MeterError, match="erased rows would come back"):
        take_in_drops(layout)
