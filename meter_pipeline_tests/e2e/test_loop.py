"""The loop beside a running `meter dev`: a decision file appears, and what follows from it runs by itself."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from meter_pipeline.demo.image_server import ImageServer
from meter_pipeline.storage.files import read_json
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import UNKNOWN_METADATA
from meter_pipeline_tests.support.commands import write_workbook
from meter_pipeline_tests.support.dev_server import DONE, Dev

pytestmark = pytest.mark.slow


def decide(layout: Layout, image_ids: list[str], target: str) -> Path:
    """Write a decision as any program may, from the contract alone."""
    decision = {
        "decision_id": "01930000-0000-7000-8000-000000000001",
        "at": "2026-11-28T18:00:00Z",
        "by": "anna",
        "action": "name",
        "image_ids": image_ids,
        "target": target,
        "undoes": None,
    }
    path = layout.decisions / "2026-11" / f"{decision['decision_id']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".part").write_text(json.dumps(decision), encoding="utf-8")
    path.with_suffix(".part").rename(path)
    return path


def final_labels(export: Path) -> dict[str, tuple[str, str]]:
    """Return the model's and the person's word by URL."""
    with export.open(encoding="utf-8-sig", newline="") as handle:
        return {row["image_url"]: (row["final_prediction"], row["reviewed_label"]) for row in csv.DictReader(handle)}


def test_a_decision_file_is_taken_over_promoted_and_a_training_launched_by_a_person_names_its_drop_anew(
    dev: Dev, image_server: ImageServer, urls: Callable[[ImageServer, int], list[str]]
) -> None:
    layout = Layout(dev.data_dir)
    export, before = layout.batch_reports / "june.csv", read_json(layout.champion)["version"]
    write_workbook(layout.drops / "june.xlsx", urls(image_server, 60))
    dev.until(lambda: layout.lake.exists(UNKNOWN_METADATA) and layout.lake.count(UNKNOWN_METADATA) > 0)
    dev.settle()
    unknown = layout.lake.frame(UNKNOWN_METADATA)
    new = unknown[[int(url.rpartition("/")[2][:3]) % 3 == 0 for url in unknown["image_url"]]]
    assert len(new) >= 10, "the test needs photos of the new type that are UNKNOWN"
    hits = sum(image_server.hits.values())

    known = {run["runId"] for run in dev.runs()}
    decide(layout, sorted(new["image_id"]), "RED_NEW")
    dev.until(lambda: len(list(layout.raw.glob("RED_NEW/*"))) == len(new))
    dev.until(lambda: {final_labels(export)[url][1] for url in new["image_url"]} == {"RED_NEW"})
    dev.until(lambda: layout.lake.count(UNKNOWN_METADATA) == len(unknown) - len(new))
    dev.settle()
    made = set().union(*dev.selections(known))
    assert {"reviewed_images", "promoted_images", "unknown_clusters"} <= made
    assert not made & {"drop_rows", "url_images", "dataset_split", "trained_model"}
    dev.until(lambda: (dev.stale("image_inventory"), dev.stale("dataset_split")) == ("STALE", "STALE"))
    assert read_json(layout.champion)["version"] == before, "nothing trains by itself"
    assert {final_labels(export)[url][0] for url in new["image_url"]} == {"UNKNOWN"}, "the model's word stays"

    training = dev.launch("train")
    dev.until(lambda: dev.status(training) in DONE)
    assert dev.status(training) == "SUCCESS"
    assert (dev.stale("image_inventory"), dev.stale("dataset_split")) == ("FRESH", "FRESH")
    after = read_json(layout.champion)["version"]
    assert after != before
    assert "RED_NEW" in read_json(layout.models / after / "model.json")["classes"]
    dev.until(lambda: {final_labels(export)[url] for url in new["image_url"]} == {("RED_NEW", "RED_NEW")})
    assert sum(image_server.hits.values()) == hits, "nothing is fetched again"
