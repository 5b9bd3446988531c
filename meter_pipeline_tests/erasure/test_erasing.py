"""What is erased is nowhere any more, what others need stays, and an erasure that was cut off comes to the same end."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from meter_pipeline.erasure import erasing
from meter_pipeline.erasure.look import look
from meter_pipeline.erasure.target import Kind, Target, column_target, drop_target, url_target
from meter_pipeline.erasure.what_stays import what_stays
from meter_pipeline.ingest.drop_rows import take_in_drops
from meter_pipeline.photos.store import store
from meter_pipeline.review.reviewed_images import decision_problems, review_photos
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, DROP_ROWS, DROPS, REVIEWED_IMAGES, UNKNOWN_METADATA
from meter_pipeline_tests.support.erasable_data import (
    JUNE,
    MAY,
    ErasableData,
    state_of,
    traces_of,
    write_erasable_data,
)
from meter_pipeline_tests.support.fault_server import jpeg


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> ErasableData:
    return write_erasable_data(tmp_path_factory.mktemp("erasable") / "data")


@pytest.fixture
def data(written: ErasableData, tmp_path: Path) -> ErasableData:
    shutil.copytree(written.layout.root, tmp_path / "data")
    return ErasableData(Layout(tmp_path / "data"), written.photos)


def target(layout: Layout, what: str) -> Target:
    if what == "url":
        return url_target("http://p.example/das2.jpg")
    return column_target(layout, "customer=r. VANDERQUIST") if what == "column" else drop_target(layout, "batch77.csv")


def erase(layout: Layout, what: str) -> None:
    erasing.erase(layout, look(layout, target(layout, what)))


def urls(layout: Layout) -> list[str]:
    return layout.lake.read(DROP_ROWS)["image_url"].to_pylist()


def test_a_drop_goes_with_all_that_was_made_of_it(data: ErasableData) -> None:
    layout, photos = data.layout, data.photos
    words = ["Vanderquist", "das1", "das2", "KEY", photos["das1.jpg"][:12], photos["das2.jpg"][:12], "batch77"]
    assert {name.partition("/")[0] for name in traces_of(layout, words)} >= {
        *("cache", "clusters", "images", "lake", "logs", "raw", "reports")
    }
    erase(layout, "drop")
    assert traces_of(layout, words, but=["review/"]) == set()
    assert [path.name for path in layout.drops.iterdir()] == ["june.csv"]
    assert (layout.batch_reports / "june.csv").is_file()
    assert all(layout.image(photos[name]).is_file() for name in ("shared.jpg", "sen.jpg"))
    assert layout.lake.count(BATCH_PREDICTIONS) == layout.lake.count(DROP_ROWS) == 2
    assert "june.csv" in layout.failure_log.read_text(encoding="utf-8")


@pytest.mark.parametrize(("what", "gone"), [("column", ["das1", "das2"]), ("url", ["das2"])])
def test_rows_of_a_person_or_a_url_go_and_do_not_come_back(data: ErasableData, what: str, gone: list[str]) -> None:
    layout = data.layout
    erase(layout, what)
    assert traces_of(layout, [*gone, *(data.photos[f"{name}.jpg"][:12] for name in gone)]) == set()
    (layout.drops / "batch77.csv").write_text(f"{MAY}D. Roy,http://p.example/roy.jpg\n", encoding="utf-8")  # read again
    take_in_drops(layout)
    assert not any(name in url for url in urls(layout) for name in gone)
    assert "http://p.example/roy.jpg" in urls(layout)
    counts = layout.lake.frame(DROPS).set_index("drop")["rows"]
    assert counts.to_dict() == {"batch77": 4 - len(gone), "june": 2}


def test_a_photo_that_another_drop_needs_stays_and_is_listed_with_that_drops_url(data: ErasableData) -> None:
    layout, shared = data.layout, data.photos["shared.jpg"]
    found = look(layout, drop_target(layout, "june"))
    assert (found.shared, found.photos) == (1, {data.photos["sen.jpg"]})
    erasing.erase(layout, found)
    assert layout.image(shared).is_file()
    metadata = layout.lake.frame(UNKNOWN_METADATA).set_index("image_id")["image_url"]
    assert metadata[shared] == "http://p.example/shared.jpg"
    assert JUNE.splitlines()[2] not in (layout.batch_reports / "batch77.csv").read_text(encoding="utf-8-sig")


def test_decisions_on_erased_photos_count_no_more_and_are_no_problem(data: ErasableData) -> None:
    layout = data.layout
    erase(layout, "drop")
    review_photos(layout)
    assert layout.lake.count(REVIEWED_IMAGES) == 0
    assert decision_problems(layout) == []


def test_photos_that_no_row_names_are_said_and_taken_with_all_that_was_made_of_them(data: ErasableData) -> None:
    layout, photos = data.layout, data.photos
    (layout.drops / "june.csv").write_text(JUNE.partition("C. Sen")[0], encoding="utf-8")  # the row of sen goes
    (layout.drops / "batch77.csv").write_text(MAY.replace("R. Vanderquist,http://p.example/das2.jpg\n", ""))
    take_in_drops(layout)
    another = store(layout, jpeg(77)).image_id  # as where a URL gave another picture
    nobody = look(layout, column_target(layout, "Customer=C. Sen"))
    assert nobody.is_nothing
    said = " ".join(what_stays(layout, nobody))
    assert "2 photos that no row names" in said and "`meter erase --unused`" in said
    assert "1 photo that no row names stay, as decisions" in said
    found = look(layout, Target(Kind.UNUSED, ""))
    assert found.photos == {photos["sen.jpg"], another}
    erasing.erase(layout, found)
    assert traces_of(layout, ["sen.jpg", photos["sen.jpg"][:12], another]) == set()
    assert layout.image(photos["das2.jpg"]).is_file()  # it was named, and that counts
    assert look(layout, Target(Kind.UNUSED, "")).is_nothing


def test_lines_of_logs_go_in_the_form_that_logs_have(data: ErasableData) -> None:
    layout = data.layout
    lines = [
        "404 http://p.example/das1.jpg?sig=***",
        "http://p.example/das1.jpg: no photo",
        "Refused: 'r. vanderquist'",
        "http://p.example/das1.jpg?sig=***&page=2",
        "http://p.example/das1.jpg.txt of D. Roy",
    ]
    layout.failure_log.write_text("\n".join(lines) + "\n", encoding="utf-8")
    erase(layout, "column")
    assert layout.failure_log.read_text(encoding="utf-8").splitlines() == lines[3:]


@pytest.mark.slow
def test_an_erasure_that_was_cut_off_comes_to_the_same_end(
    data: ErasableData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, wanted = Layout(tmp_path / "whole"), target(data.layout, "column")
    shutil.copytree(data.layout.root, whole.root)
    erasing.erase(whole, look(whole, wanted))
    for cut in range(1, len(erasing.STEPS)):
        layout = Layout(tmp_path / f"cut {cut}")
        shutil.copytree(data.layout.root, layout.root)
        monkeypatch.setattr(erasing, "STEPS", erasing.STEPS[:cut])
        erasing.erase(layout, look(layout, wanted))
        monkeypatch.undo()
        assert layout.erasing.exists()
        assert erasing.resume(layout) == wanted
        assert state_of(layout) == state_of(whole), cut
        assert erasing.resume(layout) is None
