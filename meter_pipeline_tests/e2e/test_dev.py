"""`meter dev` as a person uses it: drops are taken in by themselves, one run each; Ctrl-C ends it all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from meter_pipeline.demo.image_server import ImageServer
from meter_pipeline_tests.support.browser import CHROMIUM, CHROMIUM_FLAGS
from meter_pipeline_tests.support.commands import meter, write_workbook
from meter_pipeline_tests.support.dev_server import DONE, Dev
from meter_pipeline_tests.support.patterns import write_raw

pytestmark = pytest.mark.slow
CHAIN = {"drop_rows", "url_images", "image_features", "batch_predictions", "prediction_exports", "unknown_embeddings"}


def test_drops_are_taken_in_by_themselves_one_run_each_and_nothing_trains(
    dev: Dev, image_server: ImageServer, urls: Callable[[ImageServer, int], list[str]], tmp_path: Path
) -> None:
    reports = dev.data_dir / "reports" / "batches"
    some = urls(image_server, 20)
    dev.settle()  # at the first start, what is missing is made of no drops
    known = {run["runId"] for run in dev.runs()}
    write_workbook(dev.data_dir / "drops" / "june.xlsx", some)
    dev.until((reports / "june.csv").exists)
    dev.settle()
    selections = dev.selections(known)
    assert selections[0] == CHAIN
    assert not any({"trained_model", "dataset_split"} & selection for selection in selections)
    assert sum("drop_rows" in selection for selection in selections) == 1

    # The same rows under another name: answered, nothing fetched, discovery does not run.
    hits = sum(image_server.hits.values())
    known = {run["runId"] for run in dev.runs()}
    write_workbook(dev.data_dir / "drops" / "again.xlsx", some)
    dev.until((reports / "again.csv").exists)
    dev.settle()
    assert sum(image_server.hits.values()) == hits
    later = dev.selections(known)
    assert later[0] == CHAIN
    assert not any({"unknown_clusters", "cluster_folders", "unknown_map"} & selection for selection in later)

    # New labelled photos are looked for every minute. Meanwhile, a drop that arrives while a run is under way is
    # neither lost nor done twice.
    assert dev.stale("image_inventory") == "FRESH"
    write_raw(dev.data_dir / "raw", {"RED_NEW": 20})
    write_workbook(dev.data_dir / "drops" / "third.xlsx", urls(image_server, 30))
    dev.until(lambda: any(run["status"] not in DONE for run in dev.runs()))
    write_workbook(dev.data_dir / "drops" / "fourth.xlsx", urls(image_server, 34))
    dev.until((reports / "third.csv").exists)
    dev.until((reports / "fourth.csv").exists)
    dev.settle()
    assert set(image_server.hits.values()) == {1}

    # The labelled photos are seen, and wait for a person.
    dev.until(lambda: dev.stale("image_inventory") == "STALE")
    assert not any(run["jobName"] == "train" for run in dev.runs() if run["runId"] not in known)

    taken = meter(dev.data_dir, "dev", "--port", str(dev.port), ok=False)
    assert taken.returncode == 1
    assert "Another `meter dev` is up" in taken.stderr


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; set METER_CHROMIUM or install it")
def test_the_ui_shows_the_graph_and_an_assets_page(dev: Dev) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.goto(f"{dev.url}/assets/champion_model")
        page.get_by_text("The model in use").first.wait_for(timeout=60_000)
        page.get_by_text("Macro recall", exact=False).first.wait_for(timeout=60_000)
        page.goto(f"{dev.url}/asset-groups")
        for group in ("dataset", "model", "batches", "discovery"):
            page.get_by_text(group, exact=True).first.wait_for(timeout=60_000)
        browser.close()
