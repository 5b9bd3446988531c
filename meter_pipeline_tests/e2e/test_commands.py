"""The commands as people type them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from meter_pipeline.defs.folder_and_history import differences
from meter_pipeline.demo.image_server import ImageServer
from meter_pipeline.storage.layout import Layout
from meter_pipeline_tests.support.commands import METER, environment, meter, write_workbook
from meter_pipeline_tests.support.patterns import draw

pytestmark = pytest.mark.slow


def test_predict_for_people_and_for_programs(data_dir: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "meter [1].jpg", tmp_path / "text.jpg"
    draw("BLUE_A", 999).save(good)
    bad.write_text("no photo", encoding="utf-8")
    shown = meter(data_dir, "predict", str(good), str(bad)).stdout
    assert f"{good}: BLUE_A" in shown
    assert "ERROR" in shown
    first, second = json.loads(meter(data_dir, "predict", str(good), str(bad), "--json").stdout)
    assert (first["final_prediction"], second["final_prediction"]) == ("BLUE_A", "ERROR")
    assert len(first["top3"]) == 3
    assert first["top3"][0][1] == first["confidence"]


def test_without_a_champion_predict_says_what_to_do_without_a_traceback(tmp_path: Path) -> None:
    draw("BLUE_A", 1).save(tmp_path / "a.jpg")
    done = meter(tmp_path / "data", "predict", str(tmp_path / "a.jpg"), ok=False)
    assert done.returncode == 1
    assert "no model in use yet" in done.stderr
    assert "meter train" in done.stderr
    assert "Traceback" not in done.stderr


def test_update_writes_what_people_open(
    data_dir: Path, image_server: ImageServer, urls: Callable[[ImageServer, int], list[str]]
) -> None:
    write_workbook(data_dir / "drops" / "june.xlsx", urls(image_server, 24))
    meter(data_dir, "update")
    assert (data_dir / "reports" / "batches" / "june.csv").exists()
    assert (data_dir / "reports" / "batches" / "june.xlsx").exists()
    assert (data_dir / "reports" / "clusters" / "unknown_clustered.csv").exists()
    assert (data_dir / "warehouse.duckdb").exists()
    with dg.DagsterInstance.from_config(str(data_dir / "dagster_home")) as history:
        assert differences(history, Layout(data_dir)) == [], "each asset says of itself what is read from the folder"


def test_two_data_directories_never_mix(data_dir: Path, tmp_path: Path) -> None:
    history = str(data_dir / "dagster_home")
    done = subprocess.run(
        [*METER, "update"],
        env=environment(tmp_path / "other") | {"DAGSTER_HOME": history},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"belongs to the data directory {data_dir}" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no permission bits")
def test_a_read_only_data_directory_is_said(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o500)
    if os.access(locked, os.W_OK):  # root may write everywhere: a read-only mount cannot be made in a test
        (tmp_path / "file").write_text("", encoding="utf-8")
        locked = tmp_path / "file"
    for command in ("update", "doctor"):
        done = meter(locked / "data", command, ok=False)
        assert done.returncode == 1
        assert "Traceback" not in done.stdout + done.stderr
        assert "METER_DATA_DIR" in done.stdout + done.stderr


def test_doctor_says_what_is_there_and_what_to_mend(data_dir: Path, tmp_path: Path) -> None:
    good = meter(data_dir, "doctor", ok=False)
    assert "champion model" in good.stdout
    assert "3 classes" in good.stdout
    empty = meter(tmp_path / "empty", "doctor", ok=False)
    assert "none yet" in empty.stdout


def test_the_small_demo_runs_to_its_end(tmp_path: Path) -> None:
    done = meter(tmp_path / "demo", "demo", "--small")
    for words in ("accuracy", "UNKNOWN", "Where to look next"):
        assert words in done.stdout
    # Drawn photos and photos that were not drawn do not mix.
    draw("BLUE_A", 1).save(tmp_path / "a.jpg")
    own = tmp_path / "own"
    (own / "raw" / "BLUE_A").mkdir(parents=True)
    draw("BLUE_A", 1).save(own / "raw" / "BLUE_A" / "a.jpg")
    refused = meter(own, "demo", "--small", ok=False)
    assert refused.returncode == 1
    assert "METER_DATA_DIR" in refused.stderr
