"""`meter verify`: names every damage, writes nothing unless asked, and mends what can be mended to the same end."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

from meter_pipeline.batches.prediction_exports import MANIFEST as EXPORTS_NOTE
from meter_pipeline.batches.prediction_exports import export_drops
from meter_pipeline.cli.verify.command import verify
from meter_pipeline.errors import MeterError
from meter_pipeline.photos.store import store
from meter_pipeline.recognition.model_card import WEIGHTS, champion_version, set_champion
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, DROP_ROWS, IMAGE_FEATURES, URL_IMAGES
from meter_pipeline.storage.warehouse import build_warehouse
from meter_pipeline_tests.support.fault_server import PHOTO
from meter_pipeline_tests.support.model_cards import write_card
from meter_pipeline_tests.support.two_drops import write_two_drops

GARBAGE = b"\x00\xffgarbage{"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with two drops, a photo, two models, exports, a warehouse and a history of Dagster."""
    layout = Layout(tmp_path_factory.mktemp("made"))
    write_two_drops(layout)
    photo = store(layout, PHOTO)
    urls = layout.lake.frame(URL_IMAGES)
    layout.lake.replace(
        URL_IMAGES, urls.assign(image_id=urls["image_id"].where(urls["image_id"].isna(), photo.image_id))
    )
    for version in ("0001-12345678", "0002-12345678"):
        write_card(layout, version, ["BLUE", "GREY"])
    set_champion(layout, "0002-12345678", reason="for a test")
    export_drops(layout)
    build_warehouse(layout)
    history = layout.root / "dagster_home" / "history" / "runs.db"
    history.parent.mkdir(parents=True)
    with closing(sqlite3.connect(history)) as database:
        database.execute("CREATE TABLE runs (id TEXT)")
    return layout.root


@pytest.fixture
def layout(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """The same, to be damaged."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return Layout(shutil.copytree(made, tmp_path / "data"))


def tree(layout: Layout) -> dict[str, str]:
    return {
        path.relative_to(layout.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in layout.root.rglob("*")
        if path.is_file()
    }


def _shard(layout: Layout, table: str) -> Path:
    return layout.lake.shard_files(table)[0]


def _half_written(layout: Layout) -> Path:
    path = layout.models / ".tmp-0a1b2c3d-0003-4e7e5ada" / WEIGHTS
    path.parent.mkdir()
    path.write_bytes(b"half")
    for place in (path, path.parent):
        os.utime(place, (1, 1))
    return path.parent


DAMAGED: dict[str, Callable[[Layout], Path]] = {
    "a shard of what is computed": lambda layout: _shard(layout, IMAGE_FEATURES.name),
    "a shard of what people gave": lambda layout: _shard(layout, DROP_ROWS.name),
    "a manifest": lambda layout: layout.lake.manifest(BATCH_PREDICTIONS.name),
    "a photo": lambda layout: next(layout.images.glob("??/*.jpg")),
    "champion.json": lambda layout: layout.champion,
    "a model that is not in use": lambda layout: layout.models / "0001-12345678" / WEIGHTS,
    "an export": lambda layout: layout.batch_reports / "june.xlsx",
    "a note": lambda layout: layout.batch_reports / EXPORTS_NOTE,
    "the warehouse": lambda layout: layout.warehouse,
    "the history": lambda layout: layout.root / "dagster_home/history/runs.db",
}


def test_a_sound_directory_is_sound_and_stays_as_it_is(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(layout)
    assert verify(layout, mend=False, as_json=False)
    assert "All sound: " in capsys.readouterr().out
    assert tree(layout) == before


def test_every_damage_is_named_left_alone_and_mended_when_asked(
    layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = {name: find(layout) for name, find in DAMAGED.items()}
    for path in damaged.values():
        path.write_bytes(GARBAGE)
    half = _half_written(layout)
    before = tree(layout)
    assert not verify(layout, mend=False, as_json=True)
    said = json.loads(capsys.readouterr().out)
    places = [finding["where"] for finding in said["findings"]]
    for name, path in damaged.items():
        assert any(str(path).startswith(place) for place in places), name
    assert str(half) in places
    assert all(finding["what"] and (finding["fix"] or finding["mend"]) for finding in said["findings"])
    assert tree(layout) == before

    assert verify(layout, mend=True, as_json=True)
    assert json.loads(capsys.readouterr().out)["then"] == ["meter update"]
    assert [path.read_bytes() for path in layout.set_aside.rglob("*.parquet")] == [GARBAGE, GARBAGE]
    assert not verify(layout, mend=False, as_json=False), "a photo that was put aside is missing until it is fetched"
    store(layout, PHOTO)
    assert verify(layout, mend=False, as_json=False), capsys.readouterr().err
    after = tree(layout)
    assert verify(layout, mend=True, as_json=False)
    assert tree(layout) == after
    assert "june" in set(layout.lake.frame(BATCH_PREDICTIONS)["drop"])


def test_what_could_not_be_read_now_is_named_and_left_alone(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    unread = [_shard(layout, DROP_ROWS.name), next(layout.images.glob("??/*.jpg"))]
    for path in unread:
        path.unlink()
        path.symlink_to(path)
    verify(layout, mend=True, as_json=True)
    said = {finding["where"]: finding for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert all(said[str(path)]["mend"] is None and "may be sound" in said[str(path)]["fix"] for path in unread)
    assert all(path.is_symlink() for path in unread)


def test_a_lost_photo_that_no_drop_wants_any_more_is_no_damage(layout: Layout) -> None:
    lost = pd.DataFrame([{"image_url": "https://host/erased.jpg", "outcome": "ok", "image_id": "f" * 64}])
    layout.lake.append(URL_IMAGES, lost.reindex(columns=list(URL_IMAGES.columns)).astype(object))
    assert verify(layout, mend=False, as_json=False)


def test_the_model_in_use_is_never_taken_away(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    weights = layout.models / "0002-12345678" / WEIGHTS
    for path in (weights, layout.champion):
        path.write_bytes(GARBAGE)
    assert not verify(layout, mend=True, as_json=False)
    assert champion_version(layout) == "0002-12345678"
    assert weights.read_bytes() == GARBAGE
    assert "meter model rollback" in capsys.readouterr().err


def test_nothing_is_mended_while_a_run_works(layout: Layout) -> None:
    layout.locks.mkdir()
    with FileLock(layout.locks / "batches.lock"), pytest.raises(MeterError, match="A run is working"):
        verify(layout, mend=True, as_json=False)


def test_an_export_that_somebody_may_have_changed_is_said_and_left_alone(
    layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    export = layout.batch_reports / "june.csv"
    changed = export.read_bytes().replace(b"UNKNOWN", b"BLUE")
    export.write_bytes(changed)
    assert not verify(layout, mend=True, as_json=False)
    assert f"An export does not hold what was written. [{export}] Keep it if a person" in capsys.readouterr().err
    assert export.read_bytes() == changed


def test_a_folder_in_the_place_of_an_export_is_a_persons_to_move(
    layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    export = layout.batch_reports / "june.csv"
    export.unlink()
    export.mkdir()
    assert not verify(layout, mend=True, as_json=False)
    assert f"[{export}] Move the folder away" in capsys.readouterr().err
    with pytest.raises(MeterError, match=r"june\.csv: a folder is in its place"):
        export_drops(layout)
