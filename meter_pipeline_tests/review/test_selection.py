"""Which photos a person means: cluster numbers, ids, URLs, files and folders, and what is said where there are none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from meter_pipeline.discovery.cluster_folders import write_cluster_folders
from meter_pipeline.discovery.reports import SHEET
from meter_pipeline.errors import MeterError
from meter_pipeline.labels import NOISE, Action
from meter_pipeline.review.deciding import decide, undo
from meter_pipeline.review.selection import NOT_PHOTOS, PhotoFinder, Selection, photo_files, select
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import UNKNOWN_CLUSTERS, URL_IMAGES
from meter_pipeline_tests.support.photos_in_review import KEY, put_in_review
from meter_pipeline_tests.support.two_drops import frame

Ids = dict[str, list[str]]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "data")


@pytest.fixture
def ids(layout: Layout) -> Ids:
    return put_in_review(layout)


@pytest.mark.parametrize("what", ["0", " 0 ", "cluster_0000", "cluster 0", "Cluster_0000"])
def test_a_cluster_means_its_photos_the_surest_first(layout: Layout, ids: Ids, what: str) -> None:
    assert select(layout, what) == Selection(tuple(ids["RED"]), 0)


def test_noise_is_a_cluster_too(layout: Layout, ids: Ids) -> None:
    assert select(layout, "noise") == Selection(tuple(ids["STRAY"]), NOISE)


def test_of_a_cluster_those_that_nobody_has_decided_on_this_second(layout: Layout, ids: Ids) -> None:
    red = ids["RED"]
    first = decide(layout, Action.NAME, red[:1], by="anna", target="RED_NEW")
    decide(layout, Action.LATER, red[1:2], by="anna")
    assert select(layout, "0").image_ids == tuple(red[1:])
    assert PhotoFinder(layout).select("0", whole_clusters=True).image_ids == tuple(red)
    decide(layout, Action.JUNK, red[1:], by="anna")
    with pytest.raises(MeterError, match="All photos of cluster 0 are decided already"):
        select(layout, "0")
    undo(layout, first.decision_id, by="ben")
    assert select(layout, "0").image_ids == tuple(red[:1])


def test_an_id_may_be_cut_as_long_as_it_is_one_photo(layout: Layout, ids: Ids) -> None:
    blue = ids["BLUE"][0]
    for what in (blue, blue[:12], blue[:8].upper()):
        assert select(layout, what) == Selection((blue,))


def test_an_id_that_is_the_start_of_two_is_refused_with_both(layout: Layout, ids: Ids) -> None:
    one, two = "abc123" + "0" * 58, "abc123" + "1" * 58
    clusters = [{"image_id": image_id, "cluster_id": 5, "membership": 1.0} for image_id in (one, two)]
    layout.lake.upsert(UNKNOWN_CLUSTERS, frame(UNKNOWN_CLUSTERS, clusters))
    with pytest.raises(MeterError, match="2 photos start with abc123: abc123000000, abc123111111 Give more digits"):
        select(layout, "abc123")
    assert select(layout, "abc1230").image_ids == (one,)


def test_a_number_of_six_digits_is_the_start_of_an_id(layout: Layout, ids: Ids) -> None:
    image_id = "123456" + "f" * 58
    rows = [{"image_id": image_id, "cluster_id": 5, "membership": 1.0}]
    layout.lake.upsert(UNKNOWN_CLUSTERS, frame(UNKNOWN_CLUSTERS, rows))
    assert select(layout, "123456").image_ids == (image_id,)


def test_a_url_with_and_without_its_query_string(layout: Layout, ids: Ids) -> None:
    url = "http://photos.example/RED/2.jpg"
    for what in (url + KEY, url, f" <{url}> ", "photos.example/RED/2.jpg"):
        assert select(layout, what) == Selection((ids["RED"][2],))


def test_urls_that_differ_in_the_query_string_alone_are_not_mixed_up(layout: Layout, ids: Ids) -> None:
    url = "http://photos.example/get"
    rows = [{"image_url": f"{url}?id={number}", "image_id": ids["RED"][number], "outcome": "ok"} for number in (0, 1)]
    layout.lake.upsert(URL_IMAGES, frame(URL_IMAGES, rows))
    assert select(layout, f"{url}?id=1").image_ids == (ids["RED"][1],)
    with pytest.raises(MeterError, match="2 photos have this URL"):
        select(layout, url)
    with pytest.raises(MeterError, match="in no drop"):
        select(layout, f"{url}?id=2")


def test_a_url_from_which_no_photo_came_is_said_without_its_key(layout: Layout, ids: Ids) -> None:
    row = {"image_url": f"http://photos.example/gone.jpg{KEY}", "outcome": "not_found"}
    layout.lake.upsert(URL_IMAGES, frame(URL_IMAGES, [row]))
    for url, words in (("gone", "No photo came from this URL"), ("never", "in no drop")):
        with pytest.raises(MeterError, match=words) as error:
            select(layout, f"http://photos.example/{url}.jpg{KEY}")
        assert "secret" not in str(error.value)
        assert f"http://photos.example/{url}.jpg" in str(error.value)


def test_a_file_is_known_by_its_bytes(layout: Layout, ids: Ids, tmp_path: Path) -> None:
    copy = tmp_path / "IMG_1.jpg"
    shutil.copy(layout.image(ids["BLUE"][1]), copy)
    assert select(layout, str(copy)) == Selection((ids["BLUE"][1],))


def test_files_of_the_cluster_folders_are_known_by_the_id_in_their_names(
    layout: Layout, ids: Ids, tmp_path: Path
) -> None:
    write_cluster_folders(layout)
    folder = layout.clusters / "cluster_0000"
    first = next(folder.glob("001_*.jpg"))
    assert select(layout, str(first)) == Selection((ids["RED"][0],))
    copy = tmp_path / f"{first.stem} - Copy.jpg"
    shutil.copy(first, copy)
    assert select(layout, str(copy)) == Selection((ids["RED"][0],))
    whole = select(layout, str(folder))
    assert whole.cluster_id == 0
    assert set(whole.image_ids) == set(ids["RED"])
    first.unlink()
    assert set(select(layout, str(folder)).image_ids) == set(ids["RED"][1:])
    decide(layout, Action.NAME, ids["RED"][1:2], by="anna", target="RED_NEW")
    assert set(select(layout, str(folder)).image_ids) == set(ids["RED"][2:])
    with pytest.raises(MeterError, match="all clusters"):
        select(layout, str(layout.clusters))


def test_a_folder_with_strangers_is_refused_by_their_names(layout: Layout, ids: Ids, tmp_path: Path) -> None:
    folder = tmp_path / "sorted"
    folder.mkdir()
    shutil.copy(layout.image(ids["BLUE"][1]), folder / "a.jpg")
    assert select(layout, str(folder)) == Selection((ids["BLUE"][1],))
    (folder / "holiday.jpg").write_bytes(b"no photo of a drop")
    with pytest.raises(MeterError, match=r"1 of 2 files in this folder .* holiday\.jpg"):
        select(layout, str(folder))


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("9", "No photo is in cluster 9"),
        ("abcdef0123", "No photo has an id that starts with abcdef0123"),
        ("BLUE", "BLUE is neither a cluster, nor an id"),
        ("", "An empty text is neither"),
        ("ftp://host/a.jpg", "neither"),
        ("http://", "neither an id nor a URL"),
    ],
)
def test_what_means_no_photo_is_said(layout: Layout, ids: Ids, what: str, words: str) -> None:
    with pytest.raises(MeterError, match=words):
        select(layout, what)


def test_several_together_each_photo_once_and_some_left_out(layout: Layout, ids: Ids) -> None:
    finder = PhotoFinder(layout)
    red, blue = ids["RED"], ids["BLUE"]
    assert finder.select_all(["0", red[0][:12], "1"]) == Selection((*red, *blue))
    assert finder.select_all(["0", "0"], without=[red[1][:12]]) == Selection((red[0], *red[2:]), 0)
    assert finder.select_all(["0", "1"], without=["0"]) == Selection(tuple(blue))
    with pytest.raises(MeterError, match="not among the photos"):
        finder.select_all(["0"], without=["1"])
    with pytest.raises(MeterError, match="No photo is left"):
        finder.select_all(["0"], without=["0"])


def test_contact_sheets_are_not_taken_for_photos(tmp_path: Path) -> None:
    assert SHEET in NOT_PHOTOS
    for name in (SHEET, "a.jpg", ".hidden.jpg", "Thumbs.db"):
        (tmp_path / name).write_bytes(b"x")
    assert photo_files(tmp_path) == [tmp_path / "a.jpg"]
