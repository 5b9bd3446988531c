"""`meter doctor`: every check says what it found and what to do, and one that fails keeps none from running."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from meter_pipeline.cli.doctor import Finding, examine
from meter_pipeline_tests.support.small_models import Trained

pytestmark = pytest.mark.slow


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory that is not there yet, and nothing of the caller's settings."""
    monkeypatch.setenv("METER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("METER_BACKBONE", "efficientnet_lite0")  # its weights need no network
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster_home"))
    return tmp_path / "data"


def found() -> dict[str, Finding]:
    """Return the findings by name, but for the disk: how much is free is not the test's to say."""
    return {finding.name: finding for finding in examine() if finding.name != "disk"}


def test_on_an_empty_directory_it_says_what_comes_next(data_dir: Path) -> None:
    findings = found()
    assert {name for name, finding in findings.items() if finding.state == "warn"} == {
        "labelled photos",
        "champion model",
    }
    assert findings["labelled photos"].found.startswith("0 file(s) in 0 class folder(s)")
    assert findings["champion model"].fix == "Train one: meter train"
    assert not [finding for finding in findings.values() if finding.state == "fail"]
    assert (data_dir / "raw").is_dir()


def test_on_a_directory_in_use_all_is_well(drawn_model: Trained, data_dir: Path) -> None:
    shutil.copytree(drawn_model.layout.root, data_dir)
    findings = found()
    assert {finding.state for finding in findings.values()} == {"ok"}
    assert findings["champion model"].found == f"{drawn_model.card.version}, 3 classes"
    assert findings["labelled photos"].found.startswith("34 file(s) in 3 class folder(s)")


def test_what_cannot_be_written_is_said_and_the_other_checks_run(data_dir: Path) -> None:
    data_dir.write_text("a file", encoding="utf-8")
    findings = found()
    assert findings["data directory"].state == "fail"
    assert findings["data directory"].fix
    assert findings["weights"].state == "ok"


def test_a_bad_setting_is_named(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METER_UNKNOWN_THRESHOLD", "fifty")
    assert "METER_UNKNOWN_THRESHOLD" in found()["settings"].found
    assert found()["settings"].state == "fail"
