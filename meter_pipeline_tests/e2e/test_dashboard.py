"""The dashboard as a person uses it, in a real browser: every page, and what it says when something is amiss."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.compute as pc
import pytest
from openpyxl import load_workbook
from playwright.sync_api import Browser, Locator, Page, expect

from meter_pipeline.batches.batch_predictions import name_rows
from meter_pipeline.demo.image_server import ImageServer
from meter_pipeline.discovery.unknown_clusters import cluster_unknowns
from meter_pipeline.discovery.unknown_embeddings import collect_unknown
from meter_pipeline.discovery.unknown_map import place_unknowns
from meter_pipeline.ingest.drop_rows import take_in_drops
from meter_pipeline.ingest.url_images import DownloadLimits, download_drops
from meter_pipeline.labels import NOISE, Action
from meter_pipeline.recognition.image_features import compute_features
from meter_pipeline.recognition.single_photo import predict_photos
from meter_pipeline.review.deciding import decide, undo
from meter_pipeline.review.reviewed_images import current_state
from meter_pipeline.settings import ClusterSettings, DecisionSettings, UnknownPrintSettings, load_settings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, DATASET_SPLIT, UNKNOWN_CLUSTERS
from meter_pipeline_tests.support.browser import NEEDS_CHROMIUM
from meter_pipeline_tests.support.commands import copy_of, write_workbook
from meter_pipeline_tests.support.dashboard_server import running_dashboard
from meter_pipeline_tests.support.exports import read_export
from meter_pipeline_tests.support.patterns import draw

pytestmark = [pytest.mark.slow, *NEEDS_CHROMIUM]
PAGES = {
    "": "Batches",
    "single_photo": "One photo",
    "classes": "Classes",
    "unknowns": "Unknowns",
    "review": "Review",
    "model": "Model",
}
ROWS = 36
PATIENCE_MS = 60_000
CARD_OF_FOUR, CARD_OF_TWO = 267, 360
"""Pixels that a cluster's card may have, so that two rows of four are seen at once on a screen of 1440 x 900."""
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def data(trained: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a champion, a named drop and clusters: what `meter update` does, without Dagster."""
    copy = copy_of(trained, tmp_path_factory.mktemp("dashboard") / "data")
    with ImageServer(photos) as server:
        urls = [f"{server.base_url}/{number:03d}.jpg" for number in range(ROWS)]
        write_workbook(copy / "drops" / "june.xlsx", [*urls, f"{server.base_url}/missing.jpg"])
        settings, layout = load_settings(data_dir=copy), Layout(copy)
        take_in_drops(layout)
        download_drops(layout, DownloadLimits.from_settings(settings))
        compute_features(layout)
        name_rows(layout, DecisionSettings.from_settings(settings))
        collect_unknown(layout, UnknownPrintSettings.from_settings(settings))
        cluster_unknowns(layout, ClusterSettings(min_cluster_size=4))
        place_unknowns(layout)
    return copy


@pytest.fixture(scope="module")
def served(data: Path) -> Iterator[str]:
    with running_dashboard(data) as url:
        yield url


@pytest.fixture
def go(browser: Browser, served: str) -> Iterator[Callable[[str], Page]]:
    """Open a page of the dashboard; nothing may be asked of any other machine, and no page may break."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    outside: list[str] = []
    page.on("request", lambda asked: outside.append(asked.url) if is_outside(asked.url) else None)

    def opened(path: str) -> Page:
        page.goto(f"{served}/{path}")
        expect(page.get_by_role("heading", level=1)).to_have_text(
            PAGES[path.split("?", maxsplit=1)[0]], timeout=PATIENCE_MS
        )
        settled(page)
        return page

    yield opened
    assert not outside
    page.close()


def is_outside(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:"))


def settled(page: Page) -> Page:
    """Wait until the page is drawn."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.get_by_test_id("stException")).to_have_count(0)
    return page


def choose(page: Page, label: str, option: str | re.Pattern[str]) -> None:
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option).first.click()
    page.keyboard.press("Escape")


def metric(page: Page, label: str) -> Locator:
    named = page.get_by_test_id("stMetric").filter(has=page.get_by_text(label, exact=True))
    return named.get_by_test_id("stMetricValue")


def upload(page: Page, path: Path) -> None:
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(path)


def rows_of(data: Path) -> list[dict[str, object]]:
    return Layout(data).lake.read(BATCH_PREDICTIONS).to_pylist()


def test_every_page_opens(go: Callable[[str], Page]) -> None:
    for path in PAGES:
        page = go(path)
        for picture in page.get_by_role("img").all():
            if picture.evaluate("picture => picture.tagName") == "IMG":
                assert len(picture.get_attribute("alt") or "") > 3
    go("").get_by_text("Data as of").wait_for()


def test_a_link_to_a_page_is_answered_before_anybody_has_opened_the_first(data: Path, browser: Browser) -> None:
    """Once Streamlit took the folder `pages` beside its script for pages of its own, and showed an empty one."""
    with running_dashboard(data) as url:
        page = browser.new_page()
        page.goto(f"{url}/unknowns")
        expect(page.get_by_role("heading", level=1)).to_have_text("Unknowns", timeout=PATIENCE_MS)
        page.close()


def test_an_uploaded_photo_gets_the_answer_of_meter_predict(
    go: Callable[[str], Page], data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "meter.jpg"
    draw("BLUE_A", 999).save(path)
    (expected,) = predict_photos(Layout(data), [path], load_settings(data_dir=data))
    page = go("single_photo")
    upload(page, path)
    expect(page.get_by_role("heading", level=2)).to_have_text(expected.final_prediction)
    assert expected.decision is not None
    best = expected.decision.best
    expect(metric(page, "Raw confidence")).to_have_text(f"{best.confidence:.1%}")
    page.get_by_text(expected.reason).first.wait_for()
    page.get_by_role("heading", name="The nearest known photos").wait_for()
    page.get_by_alt_text(f"The photo; orange where it supports {best.class_name}").wait_for()
    settled(page)


def test_a_photo_by_its_url_goes_through_the_guard(go: Callable[[str], Page], photos: Path) -> None:
    page = go("single_photo")
    page.get_by_role("radio", name="URL").click()
    box = page.get_by_label("URL of a photo")
    with ImageServer(photos) as server:
        box.fill(f"{server.base_url}/001.jpg")
        page.get_by_role("button", name="Fetch and name").click()
        page.get_by_role("heading", level=2).wait_for()
    settled(page)
    box.fill("http://10.0.0.1/photo.jpg")
    page.get_by_role("button", name="Fetch and name").click()
    page.get_by_text("METER_ALLOW_HOSTS").wait_for()


def test_what_is_no_photo_is_said(go: Callable[[str], Page], tmp_path: Path) -> None:
    page = go("single_photo")
    corrupt, large = tmp_path / "corrupt.jpg", tmp_path / "large.jpg"
    draw("BLUE_A", 1).save(corrupt)
    corrupt.write_bytes(corrupt.read_bytes()[:900])
    large.write_bytes(os.urandom(50_000_000))
    upload(page, corrupt)
    page.get_by_text("ends before the picture does").wait_for()
    page.reload()
    settled(page)
    upload(page, large)
    page.get_by_text(re.compile("must be 20.*MB or smaller")).wait_for()


def test_a_batch_is_filtered_and_downloaded(go: Callable[[str], Page], data: Path, tmp_path: Path) -> None:
    page = go("")
    rows = rows_of(data)
    expect(metric(page, "Rows")).to_have_text(str(len(rows)))
    label = "UNKNOWN"
    wanted = [row for row in rows if row["final_prediction"] == label]
    assert wanted
    choose(page, "Label", re.compile(label))
    page.get_by_text(f"{len(wanted)} rows", exact=True).wait_for()
    for ending in ("csv", "xlsx"):
        with page.expect_download() as started:
            page.get_by_role("button", name=f"Download {ending.upper()}").click()
        started.value.save_as(tmp_path / f"rows.{ending}")
    written = read_export(tmp_path / "rows.csv")
    assert sorted(written["image_url"]) == sorted(str(row["image_url"]) for row in wanted)
    assert set(written["final_prediction"]) == {label}
    assert set(written["Account"]) == {f"{row['position']:06d}" for row in wanted}
    book = load_workbook(tmp_path / "rows.xlsx", read_only=True)
    assert sum(1 for _ in book.worksheets[0].iter_rows()) == len(wanted) + 1


def test_a_search_finds_a_row_and_the_row_opens(go: Callable[[str], Page], data: Path) -> None:
    page = go("")
    search = page.get_by_label("Search in URLs and the sheet's cells")
    search.fill("000007")
    search.press("Enter")
    page.get_by_text("1 row", exact=True).wait_for()
    settled(page)
    page.get_by_role("button", name="Row 9", exact=True).press("Enter")  # below the header
    dialog = page.get_by_role("dialog")
    row = next(row for row in rows_of(data) if row["position"] == 7)
    dialog.get_by_text(str(row["image_url"])).wait_for()
    dialog.get_by_text("Raw confidence").wait_for()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_a_photo_deleted_from_disk_is_said(go: Callable[[str], Page], data: Path) -> None:
    row = next(row for row in rows_of(data) if row["position"] == 11)
    photo = Layout(data).image(str(row["image_id"]))
    kept = photo.read_bytes()
    photo.unlink()
    try:
        page = go("")
        search = page.get_by_label("Search in URLs and the sheet's cells")
        search.fill("000011")
        search.press("Enter")
        page.get_by_text("The photo is not on the disk any more").first.wait_for()
        settled(page)
        page.get_by_role("button", name="Row 13", exact=True).click()
        page.get_by_role("dialog").get_by_text(photo.name).wait_for()
    finally:
        photo.write_bytes(kept)


def test_an_update_that_finishes_meanwhile_shows_on_the_next_click(go: Callable[[str], Page], data: Path) -> None:
    page = go("")
    lake = Layout(data).lake
    before = lake.read(BATCH_PREDICTIONS)
    dark = pc.sum(pc.equal(before["final_prediction"], "DARK")).as_py() or 0
    expect(metric(page, "DARK")).to_have_text(str(dark))
    row = before.slice(0, 1).to_pandas().assign(final_prediction="DARK", rule="dark")
    lake.upsert(BATCH_PREDICTIONS, row)
    try:
        page.get_by_role("button", name="Clear filters").click()
        expect(metric(page, "DARK")).to_have_text(str(dark + 1))
    finally:
        lake.replace(BATCH_PREDICTIONS, before)


def test_results_made_elsewhere_are_opened_and_missing_columns_named(go: Callable[[str], Page], tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_text("image_url,final_prediction,top1_class\nhttps://a/1.jpg,UNKNOWN,X\nhttps://a/2.jpg,X,X\n")
    page = go("")
    page.get_by_role("radio", name="A results file made elsewhere").click()
    upload(page, path)
    page.get_by_text("2 rows", exact=True).wait_for()
    page.get_by_text(re.compile("Missing columns: top1_confidence, top2_class")).wait_for()


def test_a_class_is_browsed(go: Callable[[str], Page], data: Path) -> None:
    page = go("classes")
    page.get_by_text("14 labelled").wait_for()
    page.locator(".st-key-browse_BLUE_A").get_by_role("button").click()  # the first one is another while cards come in
    expect(metric(page, "Labelled")).to_have_text("14")
    expect(page.get_by_alt_text(re.compile("labelled BLUE_A"))).to_have_count(14)
    assert "class=BLUE_A" in page.url
    page.get_by_role("radio", name="test", exact=True).click()
    tested = [row for row in Layout(data).lake.read(DATASET_SPLIT).to_pylist() if row["label"] == "BLUE_A"]
    tested = [row for row in tested if row["split"] == "test"]
    assert 0 < len(tested) < 14
    expect(page.get_by_alt_text(re.compile("labelled BLUE_A"))).to_have_count(len(tested))
    page.get_by_role("radio", name="Predicted").click()
    predicted = {row["image_id"] for row in rows_of(data) if row["final_prediction"] == "BLUE_A"}
    if not predicted:  # how sure the small model is differs between machines
        page.get_by_text("No photo of a drop was given this class").wait_for()
    expect(page.get_by_alt_text(re.compile("named BLUE_A"))).to_have_count(len(predicted))


def test_a_cluster_is_opened(go: Callable[[str], Page]) -> None:
    page = go("unknowns")
    first = page.get_by_role("button", name=re.compile("Open (cluster|noise)")).first
    name = first.inner_text().removeprefix("Open ")
    button = page.get_by_role("button", name=f"Open {name}", exact=True)
    card = page.get_by_test_id("stVerticalBlock").filter(has=button).last
    photos = int(re.search(r"(\d+) photo", card.inner_text())[1])  # type: ignore[index]
    card.get_by_alt_text(f"Photos of {name}").wait_for()
    card.get_by_text(re.compile(r"\d+% like ")).wait_for()
    expect(card.get_by_role("link", name="Review")).to_have_attribute("href", re.compile(r"review\?group=-?\d+$"))
    button.click()
    page.get_by_role("button", name="Back to all clusters").wait_for()
    settled(page)
    shown = page.get_by_alt_text(re.compile("UNKNOWN photo")).count()
    assert 0 < shown <= photos
    assert name.replace(" ", "+") in page.url


def test_clusters_are_small_cards_and_decided_ones_fold_away(go: Callable[[str], Page], data: Path) -> None:
    layout = Layout(data)
    members = layout.lake.read(UNKNOWN_CLUSTERS).to_pylist()
    first, *others = sorted({row["cluster_id"] for row in members if row["cluster_id"] != NOISE})
    page = go("unknowns")
    boxes = [page.locator(f".st-key-cluster_card_{number}").bounding_box() for number in (first, *others)]
    assert all(box is not None and box["width"] <= CARD_OF_FOUR and box["height"] <= CARD_OF_TWO for box in boxes)
    photos = [row["image_id"] for row in members if row["cluster_id"] == first]
    made = decide(layout, Action.NAME, photos, by="anna", target="NEW_TYPE")
    try:
        page = go("unknowns")
        folded = page.get_by_test_id("stExpander").filter(has_text="1 decided cluster")
        folded.get_by_text("1 decided cluster").click()
        folded.get_by_text(f"{len(photos)} photos as NEW_TYPE").wait_for()
        expect(page.get_by_role("button", name=f"Open cluster {first}", exact=True)).to_have_count(1)
    finally:
        undo(layout, made.decision_id, by="anna")
    expect(go("unknowns").get_by_test_id("stExpander").filter(has_text="decided cluster")).to_have_count(0)


def answer_form(page: Page, what: str, who: str) -> None:
    """Say in the open dialog what a photo is."""
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox").click()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type(what)
    page.keyboard.press("Enter")
    dialog.get_by_label("Your name", exact=True).fill(who)
    dialog.get_by_role("button", name="Save").click()


def take_back(layout: Layout, source: str) -> None:
    """Undo what was said on a page, for the tests that come after."""
    for decision in current_state(layout).order:
        if decision.source == source:
            undo(layout, decision.decision_id, by="")


def test_a_photo_of_a_batch_is_corrected_and_somebody_elses_word_asked_about(
    go: Callable[[str], Page], data: Path
) -> None:
    layout = Layout(data)
    row = next(row for row in rows_of(data) if row["position"] == 5)
    page = go("")
    search = page.get_by_label("Search in URLs and the sheet's cells")
    search.fill("000005")
    search.press("Enter")
    page.get_by_text("1 row", exact=True).wait_for()
    settled(page)
    page.get_by_role("button", name="Row 7", exact=True).press("Enter")
    dialog = page.get_by_role("dialog")
    try:
        answer_form(page, "KAIFA", "anna")
        dialog.get_by_text("This photo is named KAIFA now").wait_for()
        dialog.get_by_text(re.compile("This photo was named KAIFA by anna")).wait_for()
        answer_form(page, "BLUE_A", "bob")
        dialog.get_by_text("This photo was named KAIFA by anna. Your word replaces that.").wait_for()
        assert current_state(layout).words[str(row["image_id"])].label == "KAIFA"
        dialog.get_by_role("button", name="Replace it").click()
        dialog.get_by_text("This photo is named BLUE_A now").wait_for()
        word = current_state(layout).words[str(row["image_id"])]
        assert (word.label, word.decision.by, word.decision.source) == ("BLUE_A", "bob", "batches")
    finally:
        take_back(layout, "batches")


def test_a_labelled_photo_that_is_of_another_class_has_to_be_moved(go: Callable[[str], Page], data: Path) -> None:
    layout = Layout(data)
    page = go("classes?class=BLUE_A")
    page.get_by_role("button", name="Correct").first.click()
    dialog = page.get_by_role("dialog")
    try:
        answer_form(page, "GREY_A", "anna")
        dialog.get_by_text("This photo is named GREY_A now").wait_for()
        dialog.get_by_text(
            re.compile("A person put this photo into the labelled photos under another class")
        ).wait_for()
        dialog.get_by_text(str(layout.raw / "GREY_A")).wait_for()
        (decision,) = [each for each in current_state(layout).order if each.source == "classes"]
    finally:
        take_back(layout, "classes")
    assert decision.by == "anna"


def test_the_model_page_has_figures_and_the_evaluation(go: Callable[[str], Page], tmp_path: Path) -> None:
    page = go("model")
    page.get_by_text("In use since").wait_for()
    expect(metric(page, "Accuracy")).to_have_text(re.compile(r"[\d.]+%"))
    with page.expect_download() as started:
        page.get_by_role("button", name="Evaluation page").click()
    started.value.save_as(tmp_path / "page.html")
    assert "<html" in (tmp_path / "page.html").read_text(encoding="utf-8")
    page.get_by_role("button", name="Train a new model").click()
    page.get_by_role("button", name="Start the training").wait_for()


def test_without_drops_and_champion_the_folders_are_named_and_the_password_is_asked_for(
    browser: Browser, tmp_path: Path
) -> None:
    with running_dashboard(tmp_path / "empty", METER_DASHBOARD_PASSWORD="a secret") as url:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(url)
        for given in ("another", "a secret"):
            expect(page.get_by_role("heading", name="Batches")).to_have_count(0)
            page.get_by_label("Password", exact=True).fill(given)
            page.get_by_role("button", name="Enter").click()
            if given == "another":
                page.get_by_text("This is not the password").wait_for()
        page.get_by_text(str(tmp_path / "empty" / "drops")).wait_for()
        for name, words in (
            ("One photo", "There is no model in use yet"),
            ("Classes", "No labelled photos yet"),
            ("Unknowns", "No UNKNOWN photos yet"),
            ("Model", "There is no model in use yet"),
        ):
            page.get_by_role("link", name=name).click()
            page.get_by_text(words).wait_for()
            settled(page)
        page.close()
