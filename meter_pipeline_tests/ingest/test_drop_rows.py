"""Drops become rows once each; a file that cannot be read stops no other, and a kill loses nothing."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.ingest.drop_rows import drop_problems, take_in_drops, unique_drop_name
from meter_pipeline.settings import SheetSettings
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
    assert "not whole" in drops.loc["broken", "reason"]
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


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=20), max_size=8))
def test_names_of_drops_differ_whatever_the_case_and_stay_in_their_folder(names: list[str]) -> None:
    taken: set[str] = set()
    given_names = [unique_drop_name(name + ".xlsx", taken) for name in names]
    assert len({name.casefold() for name in given_names}) == len(names)
    for name in given_names:
        assert Path("reports", f"{name}.csv").resolve().parent == Path("reports").resolve()
        assert len(name) < 100
