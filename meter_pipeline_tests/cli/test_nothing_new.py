"""A look notices every change that an update could have to do with, and what ended well alone is noted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from meter_pipeline.cli.nothing_new import NOTE, last_update, look, note_update
from meter_pipeline.cli.update import run_update
from meter_pipeline.photos.photo_files import UNREADABLE
from meter_pipeline.settings import Settings, load_settings
from meter_pipeline.storage.files import write_bytes, write_json
from meter_pipeline.storage.layout import EXPORTS_NOTE, Layout
from meter_pipeline.storage.notes import write_note
from meter_pipeline.storage.tables import DROP_ROWS, IMAGE_FEATURES, IMAGE_INVENTORY, URL_IMAGES, TableSpec

PHOTO = "ab" * 32


def write(layout: Layout, spec: TableSpec, **values: object) -> None:
    row = dict.fromkeys(spec.columns) | values
    layout.lake.replace(spec, pd.DataFrame([row], columns=list(spec.columns)).astype(object))


def write_url_images(layout: Layout, **values: object) -> None:
    write(layout, URL_IMAGES, **{"image_url": "u", "outcome": "ok", "image_id": PHOTO, "bytes": 5, **values})


@pytest.fixture(scope="module")
def updated_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a file in every place, as after an update that ended well."""
    layout = Layout(tmp_path_factory.mktemp("updated"))
    for path in (
        layout.drops / "may.csv",
        layout.drops / "June" / "first.csv",
        layout.raw / "LT1" / "a.jpg",
        layout.decisions / "2026-01" / "1.json",
        layout.image(PHOTO),
        layout.models / "0001-ab" / "model.json",
        layout.models / "0001-ab" / "weights.safetensors",
        layout.batch_reports / "may.csv",
        layout.batch_reports / "may.xlsx",
        layout.cluster_reports / "index.html",
        layout.clusters / "cluster_0000" / "001.jpg",
        layout.warehouse,
        layout.clustering_state,
        layout.erased,
        layout.root / "made_from.json",
        layout.root / "dagster_home" / "history" / "runs.db",
        layout.root / "dagster_home" / "data_dir.txt",
    ):
        write_bytes(path, b"12345")
    for path in (layout.champion, layout.challenger, layout.model_history):
        write_json(path, {"version": "0001-ab"})
    write_note(layout.batch_reports / EXPORTS_NOTE, {"may": {"rows": "1"}})
    write(layout, DROP_ROWS, drop="may", position=0, image_url="u")
    write_url_images(layout)
    write(layout, IMAGE_FEATURES, image_id=PHOTO, model_version="0001-ab")
    write(layout, IMAGE_INVENTORY, path="LT1/a.jpg", image_id=PHOTO)
    return layout.root


@pytest.fixture
def settings(updated_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    data_dir = tmp_path / "data"
    shutil.copytree(updated_once, data_dir)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("METER_DATA_DIR", str(data_dir))
    return load_settings()


@pytest.fixture
def layout(settings: Settings) -> Layout:
    return Layout(settings.data_dir)


def shard(layout: Layout) -> Path:
    return next((layout.lake.root / "drop_rows").glob("*.parquet"))


def rewrite(path: Path) -> None:
    path.write_bytes(path.read_bytes())


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lose(path: Path) -> None:
    path.unlink() if path.is_file() else shutil.rmtree(path)


CHANGES: dict[str, Callable[[Layout], object]] = {
    "a drop": lambda layout: write_bytes(layout.drops / "new.csv", b"1"),
    "a drop in a folder": lambda layout: write_bytes(layout.drops / "June" / "new.csv", b"1"),
    "other content of the same length": lambda layout: (layout.drops / "may.csv").write_bytes(b"54321"),
    "a drop taken away": lambda layout: lose(layout.drops / "may.csv"),
    "a drop under another name": lambda layout: (layout.drops / "may.csv").rename(layout.drops / "m.csv"),
    "a drop with other rights": lambda layout: (layout.drops / "may.csv").chmod(0o640),
    "a labelled photo": lambda layout: write_bytes(layout.raw / "LT1" / "b.jpg", b"1"),
    "a decision": lambda layout: write_bytes(layout.decisions / "2026-02" / "2.json", b"{}"),
    "a photo added": lambda layout: write_bytes(layout.image("cd" * 32), b"1"),
    "a photo lost": lambda layout: lose(layout.image(PHOTO)),
    "a photo cut": lambda layout: cut(layout.image(PHOTO)),
    "all photos lost": lambda layout: lose(layout.images),
    "an export lost": lambda layout: lose(layout.batch_reports / "may.xlsx"),
    "the exports' note lost": lambda layout: lose(layout.batch_reports / EXPORTS_NOTE),
    "a page of the clusters lost": lambda layout: lose(layout.cluster_reports / "index.html"),
    "a photo of a cluster folder lost": lambda layout: lose(layout.clusters / "cluster_0000" / "001.jpg"),
    "a table written": write_url_images,
    "a table of training written": lambda layout: write(layout, IMAGE_INVENTORY, path="LT1/a.jpg", image_id=PHOTO),
    "a shard lost": lambda layout: lose(shard(layout)),
    "a shard cut": lambda layout: cut(shard(layout)),
    "a manifest lost": lambda layout: lose(layout.lake.root / "drop_rows" / "manifest.json"),
    "the copy of a manifest lost": lambda layout: lose(layout.lake.root / "drop_rows" / "second_manifest.json"),
    "all tables lost": lambda layout: lose(layout.lake.root),
    "another champion": lambda layout: rewrite(layout.champion),
    "another challenger": lambda layout: rewrite(layout.challenger),
    "the models' history lost": lambda layout: lose(layout.model_history),
    "a card changed": lambda layout: rewrite(layout.models / "0001-ab" / "model.json"),
    "weights cut": lambda layout: cut(layout.models / "0001-ab" / "weights.safetensors"),
    "a model more": lambda layout: write_bytes(layout.models / "0002-cd" / "model.json", b"{}"),
    "something erased": lambda layout: rewrite(layout.erased),
    "an erasure cut off": lambda layout: write_bytes(layout.erasing, b""),
    "the warehouse lost": lambda layout: lose(layout.warehouse),
    "what clusters were made from lost": lambda layout: lose(layout.clustering_state),
    "from what was made lost": lambda layout: lose(layout.root / "made_from.json"),
    "the history lost": lambda layout: lose(layout.root / "dagster_home"),
    "the runs lost": lambda layout: lose(layout.root / "dagster_home" / "history" / "runs.db"),
    "another history": lambda layout: os.environ.update(DAGSTER_HOME=str(layout.root / "other_home")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_noticed(change: str, settings: Settings, layout: Layout, monkeypatch) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    before = look(layout, settings)
    assert before == look(layout, settings)
    CHANGES[change](layout)
    after = look(layout, settings)
    assert before is not None
    assert before != after


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("METER_UNKNOWN_THRESHOLD", "0.6"),
        ("METER_CLASS_FROM_METERS", "5"),
        ("METER_MAX_ROWS", "9"),
        ("METER_ALLOW_HOSTS", "a.example"),
        ("METER_MIN_CLUSTER_SIZE", "4"),
        ("METER_SHEET", "May"),
    ],
)
def test_a_changed_setting_is_noticed(name: str, value: str, settings: Settings, layout: Layout, monkeypatch) -> None:
    before = look(layout, settings)
    monkeypatch.setenv(name, value)
    assert before != look(layout, load_settings())


def test_a_setting_that_changes_no_result_and_what_nobody_finished_do_not_matter(
    settings: Settings, layout: Layout, monkeypatch
) -> None:
    before = look(layout, settings)
    monkeypatch.setenv("METER_DASHBOARD_PASSWORD", "secret")
    write_bytes(layout.images / "ab" / ".tmp-12345678-x.jpg", b"1")
    write_bytes(layout.models / ".training-1" / "state.json", b"1")
    write_bytes(layout.thumbnails / "1.jpg", b"1")
    (layout.lake.root / "drop_rows" / ".lock").touch()
    assert before == look(layout, load_settings())


def test_the_program_is_part_of_it(settings: Settings, layout: Layout, tmp_path: Path, monkeypatch) -> None:
    before = look(layout, settings)
    packages = tmp_path / "new" / "site-packages"
    (packages / "rapidocr-3.10.dist-info").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [*sys.path, str(packages)])
    assert before != look(layout, settings)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_to_a_folder_is_in_doubt(settings: Settings, layout: Layout, tmp_path: Path) -> None:
    (layout.images / "cd").symlink_to(tmp_path)
    assert look(layout, settings) is None


def updated(settings: Settings, meanwhile: Callable[[], object] = lambda: None, *, well: bool = True) -> bool:
    """Whether an update ran; in it, something happens."""

    def run() -> bool:
        meanwhile()
        return well

    return run_update(settings, run)


def test_after_an_update_that_ended_well_the_next_one_does_not_run(settings: Settings, layout: Layout, capsys) -> None:
    assert updated(settings)
    assert not updated(settings)
    said = capsys.readouterr().out
    assert last_update(layout) is not None
    assert "Nothing is new since" in said
    assert "--retry-failed" in said
    assert "--refresh" in said
    assert run_update(settings, lambda: True, asked=True)
    write_bytes(layout.drops / "new.csv", b"1")
    assert updated(settings)
    assert not updated(settings)


def test_a_problem_or_an_error_leaves_no_note(settings: Settings, layout: Layout) -> None:
    assert updated(settings, well=False)
    assert last_update(layout) is None
    assert updated(settings)
    write_bytes(layout.drops / "new.csv", b"1")

    def stop() -> None:
        assert last_update(layout) is None, "a killed run finds none either"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        updated(settings, stop)
    (layout.drops / "new.csv").unlink()
    assert updated(settings)


def test_a_damaged_note_is_no_note(settings: Settings, layout: Layout) -> None:
    assert updated(settings)
    (layout.cache / NOTE).write_bytes(b"{")
    assert updated(settings)
    write_note(layout.cache / NOTE, {"ended": "yesterday"})
    assert updated(settings)


def test_what_comes_while_it_runs_is_not_hidden(settings: Settings, layout: Layout) -> None:
    assert updated(settings, lambda: write_bytes(layout.drops / "new.csv", b"1"))
    assert updated(settings, lambda: lose(layout.batch_reports / "may.csv"))
    assert updated(settings, lambda: write_bytes(layout.batch_reports / "may.csv", b"1"))
    assert last_update(layout) is not None
    write_bytes(layout.drops / "newer.csv", b"1")
    assert updated(settings, lambda: lose(layout.image(PHOTO)))
    assert last_update(layout) is None


def test_what_it_writes_itself_is_noted(settings: Settings, layout: Layout) -> None:
    def fetch() -> None:
        write_bytes(layout.image(PHOTO), b"123456")
        write_url_images(layout, bytes=6)

    assert updated(settings, fetch)
    assert not updated(settings)


def test_what_the_next_update_tries_again_is_not_noted(settings: Settings, layout: Layout) -> None:
    write_url_images(layout, reason="lost")
    assert updated(settings, lambda: None)
    assert last_update(layout) is None, "the photo is there again"
    write_url_images(layout)
    failing = {"image_id": PHOTO, "model_version": "0001-ab", "reason": f"{UNREADABLE}: busy."}
    write(layout, IMAGE_FEATURES, **failing)
    assert updated(settings)
    assert last_update(layout) is None, "the photo may be readable now"
    write(layout, IMAGE_FEATURES, **{**failing, "reason": "It is no photo."})
    assert updated(settings)
    assert not updated(settings)
    write_url_images(layout, image_url="of no row", reason="lost")
    assert updated(settings)
    assert not updated(settings)


def test_in_doubt_it_runs_and_notes_nothing(settings: Settings, layout: Layout, monkeypatch) -> None:
    assert updated(settings)
    monkeypatch.setattr("meter_pipeline.cli.update.look", lambda *_: None)
    assert updated(settings)
    assert last_update(layout) is None
    assert not note_update(layout, None, None)


def test_the_command_ends_before_anything_heavy_loads(settings: Settings) -> None:
    assert updated(settings)
    code = (
        "import sys\n"
        "sys.argv = ['meter', 'update']\n"
        "from meter_pipeline.cli.main import app\n"
        "app(standalone_mode=False)\n"
        "print(sorted({'dagster', 'pandas', 'torch', 'duckdb', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Nothing is new since" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
