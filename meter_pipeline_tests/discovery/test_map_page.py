"""The map as a page: whole, loading nothing from outside, and usable in a browser."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from meter_pipeline.discovery.map_page import MapPoint, take_down, write_map_page
from meter_pipeline.labels import NOISE
from meter_pipeline_tests.support.browser import CHROMIUM, CHROMIUM_FLAGS

HOSTILE = "</script><script>document.title='hacked'</script><img src=//evil.example>"


def points(tmp_path: Path) -> list[MapPoint]:
    exif = Image.Exif()
    exif[0x010F] = "SECRET PHONE"
    Image.new("RGB", (300, 400), "red").save(tmp_path / "photo.jpg", exif=exif)
    (tmp_path / "broken.jpg").write_bytes(b"not a photo")
    return [
        MapPoint(0.0, 0.0, 10, "alpha 40.0 %", "clusters/a.jpg", tmp_path / "photo.jpg"),
        MapPoint(1.0, 0.0, 2, HOSTILE, "clusters/b.jpg", tmp_path / "photo.jpg"),
        MapPoint(0.5, 1.0, NOISE, "beta 30.0 %", "clusters/c.jpg", tmp_path / "broken.jpg"),
    ]


def write(page: Path, shown: list[MapPoint], *, waiting: int = 0, clusters: str = "c1") -> bool:
    return write_map_page(page, shown, waiting=waiting, clusters=clusters)


def test_the_page_is_whole_and_loads_nothing(tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    assert write(page, points(tmp_path))
    html = page.read_text(encoding="utf-8")
    assert HOSTILE not in html
    assert "SECRET" not in html
    assert not re.search(r"""<[^>]*(src|href)=["']?(https?:)?//""", html)
    assert html.index("Cluster 2") < html.index("Cluster 10") < html.index('"Noise"')
    stamp = page.stat().st_mtime_ns
    assert not write(page, points(tmp_path))
    assert page.stat().st_mtime_ns == stamp
    assert write(page, points(tmp_path)[:2])
    assert write(page, [])
    assert "no UNKNOWN" in page.read_text(encoding="utf-8")


def test_the_page_says_what_is_not_on_it_yet(tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    write(page, points(tmp_path))
    assert "no place yet" not in page.read_text(encoding="utf-8")
    assert write(page, points(tmp_path), waiting=1)
    assert "1 more photo has no place yet" in page.read_text(encoding="utf-8")
    assert write(page, [], waiting=4)
    assert "is not made yet" in page.read_text(encoding="utf-8")


def test_a_page_of_other_clusters_is_taken_down_and_one_of_these_stays(tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    write(page, points(tmp_path))
    assert not take_down(page, waiting=3, clusters="c1")
    assert "clusters/a.jpg" in page.read_text(encoding="utf-8")
    assert take_down(page, waiting=3, clusters="c2")
    assert "is not made yet" in page.read_text(encoding="utf-8")
    assert "clusters/a.jpg" not in page.read_text(encoding="utf-8")
    assert not take_down(page, waiting=3, clusters="c2")
    assert take_down(page, waiting=0, clusters="c3")
    assert "no UNKNOWN" in page.read_text(encoding="utf-8")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; set METER_CHROMIUM or install it")
def test_in_a_browser_it_shows_filters_and_opens_photos(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    write(tmp_path / "map.html", points(tmp_path))
    (tmp_path / "clusters").mkdir()
    shutil.copyfile(tmp_path / "photo.jpg", tmp_path / "clusters" / "b.jpg")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1000, "height": 800})
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto((tmp_path / "map.html").as_uri())
        box = page.locator("canvas").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] - 21, box["y"] + 21)
        card = page.locator("#card")
        assert card.inner_text().startswith("Cluster 2: </script>")
        assert str(card.locator("img").get_attribute("src")).startswith("data:image/jpeg;base64,")
        with page.context.expect_page() as opened:
            page.mouse.click(box["x"] + box["width"] - 21, box["y"] + 21)
        assert opened.value.url.endswith("clusters/b.jpg")
        page.get_by_text("Cluster 2 (1)").click()
        page.mouse.move(box["x"] + box["width"] - 22, box["y"] + 22)
        assert card.is_hidden()
        assert page.title() == "Map of the UNKNOWN photos"
        assert problems == []
        browser.close()
