"""The evaluation page and the files beside it: all there, stands alone, and runs nothing that folders are called."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from meter_pipeline.errors import StorageError
from meter_pipeline.evaluation.page import write_evaluation
from meter_pipeline.evaluation.plots import confusion_matrix_png
from meter_pipeline.evaluation.unknown_curves import unknown_curve
from meter_pipeline_tests.support.evaluations import results

pytestmark = pytest.mark.slow

HOSTILE = [
    "<script>alert(1)</script>",
    '=HYPERLINK("http://evil.example","x")',
    "$\\frac{",
    "\"'><img src=//evil>",
    "ok",
]
FILES = {
    "index.html",
    "metrics.json",
    "audit.csv",
    "classification_report.csv",
    "classification_report.txt",
    "confused_pairs.csv",
    "confusion_matrix.csv",
    "confusion_matrix.png",
    "coverage.csv",
    "coverage.png",
    "reliability.csv",
    "reliability.png",
}
HISTORY = [
    {"phase": "head", "epoch": 1, "train_loss": 1.0, "train_accuracy": 0.5, "val_loss": None, "val_accuracy": None},
    {"phase": "tune", "epoch": 1, "train_loss": 0.5, "train_accuracy": 0.8, "val_loss": 0.6, "val_accuracy": 0.7},
]


class Page(HTMLParser):
    """What a browser would load, run and show."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.html = path.read_text(encoding="utf-8")
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, given in attrs:
            value = given or ""
            if name in ("src", "srcset", "data", "poster", "background", "action") or (tag, name) == ("link", "href"):
                self.loads.append(value)
            if (tag, name) == ("a", "href"):
                self.links.append(value)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a model whose classes are called after attacks."""
    folder = tmp_path_factory.mktemp("reports") / "evaluation" / "0001-abc"
    photo = folder.parent.parent / "photo.jpg"
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    Image.new("RGB", (400, 700), "green").save(photo, exif=exif)
    evaluation, audit = results(HOSTILE)
    paths = dict.fromkeys(audit["image_id"], photo)
    paths[audit["image_id"][0]] = folder / "gone.jpg"
    write_evaluation(
        folder,
        evaluation,
        audit,
        HISTORY,
        {"version": "0001-abc", "classes": HOSTILE, "config": {"note": "<b>"}, "guard": {}, "metrics": {"x": 0.12345}},
        photo_paths=paths,
        split=pd.DataFrame({"label": HOSTILE * 2, "split": ["train"] * 5 + ["test"] * 5}),
        unknown_curves={"<i>junk</i>": unknown_curve(np.array([0.9, 0.8, 0.4]), np.array([0.3, 0.5]))},
    )
    return folder


def test_all_files_are_there_and_pictures_are_pictures(hostile: Path) -> None:
    assert {path.name for path in hostile.iterdir()} == FILES
    for path in hostile.glob("*.png"):
        with Image.open(path) as image:
            image.load()
            assert min(image.size) > 200


def test_the_page_stands_alone_and_runs_nothing(hostile: Path) -> None:
    page = Page(hostile / "index.html")
    assert page.loads
    assert all(load.startswith("data:image/") for load in page.loads)
    assert not {"script", "iframe", "object", "link"} & set(page.tags)
    assert not re.search(r"url\(|@import", page.html)
    assert all(link.startswith("#") or (hostile / link).is_file() for link in page.links)
    ids = set(re.findall(r' id="([^"]+)"', page.html))
    assert {link[1:] for link in page.links if link.startswith("#")} <= ids


def test_names_from_folders_are_shown_and_never_run(hostile: Path) -> None:
    page = Page(hostile / "index.html")
    for name in [*HOSTILE, "<i>junk</i>", "<b>"]:
        assert name in page.text
    assert "<script" not in page.html


def test_csv_cells_cannot_run_as_formulas_and_csvs_hold_everything(hostile: Path) -> None:
    for path in hostile.glob("*.csv"):
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
        assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row), path.name
    audit = list(csv.DictReader(io.StringIO((hostile / "audit.csv").read_text(encoding="utf-8-sig"))))
    assert len(audit) == 40
    assert list(audit[0])[:5] == ["image", "true_class", "predicted_class", "confidence", "correct"]
    assert {row["correct"] for row in audit} == {"True", "False"}
    matrix = list(csv.reader(io.StringIO((hostile / "confusion_matrix.csv").read_text(encoding="utf-8-sig"))))
    assert sum(int(cell) for row in matrix[1:] for cell in row[1:]) == 40


def test_thumbnails_are_small_and_carry_no_metadata(hostile: Path) -> None:
    page = Page(hostile / "index.html")
    thumbnails = [load for load in page.loads if load.startswith("data:image/jpeg")]
    assert thumbnails
    content = base64.b64decode(thumbnails[0].split(",", 1)[1])
    with Image.open(io.BytesIO(content)) as image:
        assert max(image.size) <= 200
        assert not image.getexif()


def test_wrong_photos_come_first_the_surest_in_front(hostile: Path) -> None:
    order = re.findall(r'<span class="tag (good|bad)">', (hostile / "index.html").read_text(encoding="utf-8"))
    assert order == sorted(order)  # bad before good
    audit = pd.read_csv(hostile / "audit.csv", encoding="utf-8-sig")
    assert order.count("bad") == (~audit["correct"]).sum()


def test_metrics_are_plain_json(hostile: Path) -> None:
    metrics = json.loads((hostile / "metrics.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert metrics["photos"] == 40
    assert 0 < metrics["accuracy"] < 1


def test_without_test_photos_the_page_says_so(tmp_path: Path) -> None:
    evaluation, audit = results(["a", "b"], photos=0)
    page = Page(write_evaluation(tmp_path / "e" / "0001", evaluation, audit, [], {"version": "0001"}))
    assert "There are no test photos, so nothing was measured." in page.text
    assert not page.loads
    assert not list((tmp_path / "e" / "0001").glob("*.png"))
    assert "%" not in page.text.split("}", 1)[-1].rsplit("}", 1)[-1]  # no figure outside the style sheet


def test_one_photo_of_one_class(tmp_path: Path) -> None:
    evaluation, audit = results(["only"], photos=1)
    page = Page(write_evaluation(tmp_path / "0001", evaluation, audit, [], {"version": "0001"}))
    assert "Few test photos." in page.text


def test_a_second_report_replaces_the_first_whole_and_is_the_same_byte_by_byte(tmp_path: Path) -> None:
    evaluation, audit = results(["a", "b"], photos=0)
    folder = tmp_path / "0001"
    folder.mkdir()
    (folder / "left over.txt").write_text("old", encoding="utf-8")
    write_evaluation(folder, evaluation, audit, HISTORY, {"version": "0001"})
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    write_evaluation(folder, evaluation, audit, HISTORY, {"version": "0001"})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    assert "left over.txt" not in first
    drawn, _audit = results(["a", "b"])
    assert confusion_matrix_png(drawn) == confusion_matrix_png(drawn)
    assert [path.name for path in tmp_path.iterdir()] == ["0001"]


def test_a_place_that_cannot_be_written_is_a_message_and_nothing_is_left(tmp_path: Path) -> None:
    evaluation, audit = results(["a", "b"], photos=0)
    in_the_way = tmp_path / "reports"
    in_the_way.write_text("a file where a folder should be", encoding="utf-8")
    with pytest.raises((StorageError, OSError)):
        write_evaluation(in_the_way / "0001", evaluation, audit, [], {"version": "0001"})
    assert [path.name for path in tmp_path.iterdir()] == ["reports"]
