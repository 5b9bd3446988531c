"""A model's folder: what rots, is cut or changes places is refused by name; a class may be renamed."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meter_pipeline.errors import WeightsError
from meter_pipeline.recognition.model_card import load_card, save_card
from meter_pipeline.recognition.model_files import check_files, model_problems
from meter_pipeline.storage.layout import Layout
from meter_pipeline_tests.support.model_cards import write_card

CLASSES = ["HPL_BLUE", "HPL_GREY", "WHITE"]
REFERENCE = "reference.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder with two files beside the card, and another model."""
    layout = Layout(tmp_path)
    for version in ("0001-a", "0002-b"):
        (layout.models / version).mkdir(parents=True)
        (layout.models / version / REFERENCE).write_bytes(f"photos of {version}".encode() * 100)
        write_card(layout, version, CLASSES)
    return layout.models / "0001-a"


def change(folder: Path, **fields: Any) -> None:
    card = folder / "model.json"
    card.write_text(json.dumps(json.loads(card.read_text(encoding="utf-8")) | fields), encoding="utf-8")


FILE_DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:50]),
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "gone": lambda path: path.unlink(),
    "a bit": lambda path: path.write_bytes(path.read_bytes().replace(b"photos", b"phptos", 1)),
    "that of another model": lambda path: shutil.copy(path.parents[1] / "0002-b" / REFERENCE, path),
}


@pytest.mark.parametrize("damage", FILE_DAMAGES)
def test_a_damaged_file_is_refused_and_named(folder: Path, damage: str) -> None:
    files = load_card(Layout(folder.parents[1]), folder.name).files
    assert model_problems(folder) == []
    check_files(folder, files)
    FILE_DAMAGES[damage](folder / REFERENCE)
    with pytest.raises(WeightsError) as refused:
        check_files(folder, files)
    assert refused.value.where == str(folder / REFERENCE)
    (problem,) = model_problems(folder)
    assert problem == str(refused.value)


CARD_DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "swapped": (lambda folder: change(folder, classes=["HPL_GREY", "HPL_BLUE", "WHITE"]), "another order"),
    "one over another": (lambda folder: change(folder, classes=["HPL_GREY", "HPL_GREY", "WHITE"]), "twice"),
    "one less": (lambda folder: change(folder, classes=CLASSES[:2]), "2 classes"),
    "moved and renamed": (lambda folder: change(folder, classes=["WHITE", "HPL_GREY", "NEW"]), "another order"),
    "a bit of a class": (lambda folder: change(folder, classes=["IPL_BLUE", *CLASSES[1:]]), "'IPL_BLUE' instead"),
    "no text": (lambda folder: change(folder, classes=[1, 2, 3]), "does not name its classes"),
    "another threshold": (lambda folder: change(folder, guard={"threshold": 0.0}), "hash differs"),
    "of another model": (lambda folder: shutil.copy(folder.parent / "0002-b" / "model.json", folder), "another model"),
    "without its hash": (lambda folder: (folder / "model.json").write_text('{"version": "0001-a"}'), "no hash"),
}


@pytest.mark.parametrize("damage", CARD_DAMAGES)
def test_a_damaged_card_is_refused(folder: Path, damage: str) -> None:
    harm, words = CARD_DAMAGES[damage]
    harm(folder)
    with pytest.raises(WeightsError, match=words) as refused:
        load_card(Layout(folder.parents[1]), folder.name)
    assert refused.value.where == str(folder / "model.json")
    assert model_problems(folder) == [str(refused.value)]


def test_a_class_that_a_person_renamed_is_said_and_used(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    change(folder, classes=["Blue, of HPL", "HPL_GREY", "WHITE"])
    with caplog.at_level(logging.WARNING):
        assert load_card(Layout(folder.parents[1]), folder.name).classes == ["Blue, of HPL", "HPL_GREY", "WHITE"]
    assert "HPL_BLUE is shown as 'Blue, of HPL'" in caplog.text
    assert model_problems(folder) == []


def test_a_card_that_is_saved_again_keeps_the_hashes_of_the_files(folder: Path) -> None:
    card = load_card(Layout(folder.parents[1]), folder.name)
    (folder / REFERENCE).write_bytes(b"rotten")
    save_card(folder, card)
    assert len(model_problems(folder)) == 1
