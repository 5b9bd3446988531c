"""Settings: where a value comes from, and what is said of a bad one."""

from __future__ import annotations

from pathlib import Path

import pytest

from meter_pipeline.errors import MeterError
from meter_pipeline.settings import PROJECT_DIR, load_settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("METER_DATA_DIR", "METER_BACKBONE", "METER_UNKNOWN_THRESHOLD", "METER_ALLOW_HOSTS"):
        monkeypatch.delenv(name, raising=False)


def test_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    assert (settings.backbone, settings.weights) == ("resnet18", "imagenet")
    assert (settings.epochs_head, settings.epochs_tune, settings.unknown_threshold) == (6, 8, 0.50)
    assert (settings.guard, settings.engine) == ("on", "local")
    assert load_settings().data_dir == PROJECT_DIR / "data"


def test_override_beats_environment_beats_file_beats_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meter.env").write_text("METER_BACKBONE=from_file\nMETER_SEED=7\n", encoding="utf-8")
    monkeypatch.setenv("METER_DATA_DIR", str(tmp_path))
    assert load_settings().backbone == "from_file"
    monkeypatch.setenv("METER_BACKBONE", "from_environment")
    assert load_settings().backbone == "from_environment"
    assert load_settings(backbone="from_run", seed=None).backbone == "from_run"
    assert load_settings().seed == 7


def test_each_data_directory_has_its_own_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "meter.env").write_text(f"METER_BACKBONE={name}\n", encoding="utf-8")
    assert [load_settings(data_dir=tmp_path / name).backbone for name in ("one", "two")] == ["one", "two"]


def test_lists_are_comma_separated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METER_ALLOW_HOSTS", "images.intranet, 127.0.0.1 ,")
    assert load_settings(data_dir=tmp_path).allow_hosts == ("images.intranet", "127.0.0.1")


def test_a_bad_value_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METER_UNKNOWN_THRESHOLD", "fifty")
    with pytest.raises(MeterError, match=r"METER_UNKNOWN_THRESHOLD.*number.*Correct the value"):
        load_settings(data_dir=tmp_path)


def test_digest_follows_only_the_named_settings(tmp_path: Path) -> None:
    one, two = load_settings(data_dir=tmp_path), load_settings(data_dir=tmp_path, unknown_threshold=0.6)
    assert one.digest("seed") == two.digest("seed")
    assert one.digest("unknown_threshold") != two.digest("unknown_threshold")
