"""`meter review` and `meter model` as people type them: from a cluster to a model in use, and all the way back."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from openpyxl import load_workbook

from meter_pipeline.demo.image_server import ImageServer
from meter_pipeline.storage.files import read_json
from meter_pipeline.storage.layout import Layout
from meter_pipeline_tests.support.commands import METER, copy_of, environment, meter, write_workbook

pytestmark = pytest.mark.slow
TYPED, FOLDER = "RED/ नया", "RED_ नया"
"""A class as a person types it, with a slash and in Hindi, and its folder."""


@pytest.fixture(scope="module")
def clustered_once(trained: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a drop whose UNKNOWN photos are clustered."""
    data_dir = copy_of(trained, tmp_path_factory.mktemp("clustered") / "data")
    with ImageServer(photos) as server:
        write_workbook(
            data_dir / "drops" / "june.xlsx", [f"{server.base_url}/{number:03d}.jpg" for number in range(60)]
        )
        meter(data_dir, "update")
    return data_dir


@pytest.fixture
def clustered(clustered_once: Path, tmp_path: Path) -> Layout:
    """A copy of it. The photos' server is gone: nothing is fetched again."""
    return Layout(copy_of(clustered_once, tmp_path / "data"))


def asked(layout: Layout, *arguments: str) -> Any:
    return json.loads(meter(layout.root, *arguments, "--json").stdout)


def is_new(photo: dict[str, Any]) -> bool:
    """Return whether a photo is of the new type, by the number in its URL (`conftest.photos`)."""
    return int(Path(str(photo["image_url"])).stem) % 3 == 0


def new_cluster(layout: Layout) -> tuple[int, list[dict[str, Any]]]:
    """Return the first listed cluster that is all of the new type, and its photos."""
    for cluster in asked(layout, "review", "list")["clusters"]:
        photos = asked(layout, "review", "show", str(cluster["cluster_id"]))["photos"]
        if all(map(is_new, photos)):
            return int(cluster["cluster_id"]), list(photos)
    raise AssertionError("the test needs a cluster of the new type")


def promoted(layout: Layout) -> set[str]:
    return {path.name for path in layout.raw.glob(f"{FOLDER}/*")}


def test_a_cluster_is_named_learned_and_everything_is_taken_back(clustered: Layout) -> None:
    layout, root = clustered, clustered.root
    number, photos = new_cluster(layout)
    assert len(photos) >= 6
    named = meter(root, "review", "name", TYPED, str(number), "--by", "anna").stdout
    assert f"The class is written {FOLDER}." in named
    assert f"{len(photos)} photos named {FOLDER}" in named
    assert number not in {cluster["cluster_id"] for cluster in asked(layout, "review", "list")["clusters"]}
    assert not promoted(layout), "nothing is done before the update"

    updated = meter(root, "update").stdout
    assert f"{len(photos)} named photos put into data/raw" in updated
    assert len(promoted(layout)) == len(photos)

    before = read_json(layout.champion)["version"]
    trained = meter(root, "train").stdout
    challenger = read_json(layout.challenger)["version"]
    assert challenger != before
    assert f"{challenger} is accepted by the gate." in trained
    newest, oldest = asked(layout, "model", "list")["models"]
    assert (newest["version"], newest["in_use"], newest["gate"]) == (challenger, True, "accepted")
    assert newest["classes"] == oldest["classes"] + 1
    assert "The gate: accepted" in meter(root, "model", "show", challenger).stdout

    back = rolled_back_while_a_model_trains(layout, to=before)
    assert f"In use: {before}. Rolled back from {challenger} by ben: only a test" in back
    assert f"{challenger} is held by the gate." in meter(root, "train").stdout, (
        "rolled back before; and train ends with 0"
    )
    meter(root, "model", "accept", challenger, "--why", "it was right")
    assert read_json(layout.champion)["version"] == challenger

    undone = meter(root, "review", "undo", "--by", "anna").stdout
    assert f"Undone: name {FOLDER} of {len(photos)} photos, by anna" in undone
    assert f"{len(photos)} photos taken out of data/raw" in meter(root, "update").stdout
    assert not promoted(layout)


def rolled_back_while_a_model_trains(layout: Layout, *, to: str) -> str:
    """Go back while the tables of the training are locked: the model is in use at once. Return what was printed."""
    command = [*METER, "model", "rollback", "--why", "only a test", "--by", "ben"]
    with FileLock(layout.locks / "training.lock"):
        process = subprocess.Popen(command, env=environment(layout.root), stdout=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 120
        while read_json(layout.champion)["version"] != to:
            assert process.poll() is None
            assert time.monotonic() < deadline, "it waits for the training"
            time.sleep(0.2)
    printed, _ = process.communicate(timeout=240)
    assert process.returncode == 0
    return printed


def test_sheets_and_folders_are_exported_filled_in_and_imported(clustered: Layout, tmp_path: Path) -> None:
    layout, root = clustered, clustered.root
    number, photos = new_cluster(layout)
    first, second, third, *_ = (photo["image_id"] for photo in photos)

    as_csv, as_xlsx = tmp_path / "review.csv", tmp_path / "review.xlsx"
    for file in (as_csv, as_xlsx):
        meter(root, "review", "export", str(file))
    with as_csv.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        row["class"] = "RED_NEW" if row["image_id"] == first else ""
    with as_csv.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    assert "1 photo named RED_NEW" in meter(root, "review", "import", str(as_csv)).stdout
    assert "0 decided, 1 were that already" in meter(root, "review", "import", str(as_csv)).stdout

    book = load_workbook(as_xlsx)
    sheet = book.active
    assert sheet is not None
    header = [cell.value for cell in sheet[1]]
    for cells in sheet.iter_rows(min_row=2):
        if cells[header.index("image_id")].value == second:
            cells[header.index("class")].value = "red_new "
        if cells[header.index("image_id")].value == third:
            cells[header.index("class")].value = "UNKNOWN"
    book.save(as_xlsx)
    done = meter(root, "review", "import", str(as_xlsx))
    assert "1 photo named RED_NEW" in done.stdout
    assert "sheet review, row" in done.stderr
    assert "UNKNOWN" in done.stderr

    copies = tmp_path / "sorted" / "RED_NEW"
    copies.mkdir(parents=True)
    for photo in photos:
        shutil.copy(root / photo["file"], copies)
    assert f"{len(photos) - 2} photos named RED_NEW" in meter(root, "review", "import", str(tmp_path / "sorted")).stdout
    refused = meter(root, "review", "import", str(layout.clusters), ok=False)
    assert (refused.returncode, "not read back" in refused.stderr) == (1, True)
    assert len(list(layout.decisions.glob("*/*.json"))) == 3
    words = {photo["word"].split(" by ")[0] for photo in asked(layout, "review", "show", str(number))["photos"]}
    assert words == {"named RED_NEW"}


def test_names_that_are_none_and_folders_that_cannot_be_written_are_said_and_nothing_is_lost(
    clustered: Layout,
) -> None:
    layout, root = clustered, clustered.root
    number, photos = new_cluster(layout)
    for name in ("UNKNOWN", "x" * 300):
        done = meter(root, "review", "name", name, str(number), ok=False)
        assert done.returncode == 1
        assert "cannot be the name of a class" in done.stderr
        assert "Traceback" not in done.stderr
    assert not layout.decisions.exists()
    meter(root, "review", "junk", photos[0]["image_id"][:10])
    locked = decided_on_a_read_only_folder(layout, number)
    assert locked.returncode == 1
    assert "METER_DATA_DIR" in locked.stderr
    assert "Traceback" not in locked.stderr
    assert "1 junk" in meter(root, "review", "list").stdout


def decided_on_a_read_only_folder(layout: Layout, number: int) -> subprocess.CompletedProcess[str]:
    """Try to decide while decisions cannot be written."""
    folder = layout.decisions.parent
    if sys.platform != "win32" and os.geteuid() != 0:
        places = [folder, *folder.glob("*"), *folder.glob("*/*/")]
        for place in places:
            place.chmod(0o500)
        done = meter(layout.root, "review", "junk", str(number), ok=False)
        for place in places:
            place.chmod(0o700)
        return done
    # The superuser may write everywhere: a file in the way of the folder stands for it.
    folder.rename(layout.root / "kept")
    folder.write_text("", encoding="utf-8")
    done = meter(layout.root, "review", "junk", str(number), ok=False)
    folder.unlink()
    (layout.root / "kept").rename(folder)
    return done
