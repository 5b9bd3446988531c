"""Settings: where a value comes from, and what is said of a bad one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from meter_pipeline.definitions import build_definitions
from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.errors import MeterError
from meter_pipeline.settings import GROUPS, PROJECT_DIR, Settings, load_settings, settings_behind

OTHER_VALUES: dict[str, object] = {
    "download_proxy": "http://proxy.example:3128",
    "backbone": "resnet34",
    "weights": "none",
    "read_plates": True,
    "guard": "off",
    "adaptive_views": False,
    "serving_engine": "torch",
    "url_column": "Photo",
    "dashboard_url": ["https://meters.example"],
    "dagster_url": ["https://meters.example/dagster"],
    "sheet": "June",
    "allow_dropped_classes": True,
    "cluster_print": "off",
    "min_cluster_size": 9,
    "retrain_from_photos": 50,
    "allow_hosts": ["images.intranet"],
    "allow_networks": ["10.0.0.0/8"],
    "dashboard_password": "a secret",
}
"""A value that is not the default, where one cannot be had by changing a number."""


@pytest.fixture(scope="module", autouse=True)
def _clean_environment() -> Iterator[None]:
    names = ("METER_DATA_DIR", "METER_BACKBONE", "METER_UNKNOWN_THRESHOLD", "METER_ALLOW_HOSTS", "METER_CLUSTER_PRINT")
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.delenv(name, raising=False)
        yield


def test_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    assert (settings.backbone, settings.weights) == ("resnet18", "imagenet")
    assert (settings.epochs_head, settings.epochs_tune, settings.unknown_threshold) == (6, 8, 0.50)
    assert (settings.guard, settings.cluster_print) == ("on", "auto")
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


def other_value(name: str) -> object:
    default = Settings.model_fields[name].default
    return OTHER_VALUES[name] if name in OTHER_VALUES else default * 0.5 if isinstance(default, float) else default + 1


def code_versions(**overrides: object) -> dict[str, str | None]:
    """Return the code versions under the defaults but for these, whatever the environment or a `meter.env` says."""
    fields = Settings.model_fields.items()
    defaults = {name: field.default for name, field in fields if name != "data_dir" and field.default is not None}
    specs = build_definitions(Pipeline(overrides=defaults | overrides)).resolve_all_asset_specs()
    return {spec.key.to_user_string(): spec.code_version for spec in specs}


@pytest.fixture(scope="module")
def defaults() -> dict[str, str | None]:
    return code_versions()


@pytest.mark.parametrize("name", sorted(set(Settings.model_fields) - {"data_dir"}))
def test_a_setting_changes_the_code_version_of_what_it_reaches_or_is_said_to_change_no_result(
    name: str, defaults: dict[str, str | None]
) -> None:
    """Once `max_rows` decided which rows were refused, and raising it left everything Synced."""
    changed = code_versions(**{name: other_value(name)})
    asset_names = {asset for asset in defaults if defaults[asset] != changed[asset]}
    groups = [group for group in GROUPS if name in group.model_fields]
    assert asset_names == {asset for group in groups for asset in group.reaches}
    assert asset_names or all(group.changes_no_result for group in groups)


def test_every_setting_is_in_a_group_and_a_group_says_either_what_it_reaches_or_why_nothing(
    defaults: dict[str, str | None],
) -> None:
    assert {name for group in GROUPS for name in group.model_fields} == set(Settings.model_fields)
    for group in GROUPS:
        assert bool(group.reaches) != bool(group.changes_no_result), group.__name__
        assert set(group.reaches) <= set(defaults), group.__name__


def test_every_setting_is_read_by_something() -> None:
    """Once METER_ENGINE could be set and nothing looked at it."""
    package = PROJECT_DIR / "meter_pipeline"
    trees = [ast.parse(path.read_text("utf-8")) for path in package.rglob("*.py") if path.name != "settings.py"]
    read = {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    # `guard` is read through `uses_guard`; data_dir also finds the settings file.
    assert set(Settings.model_fields) - read <= {"guard"}


def test_what_is_read_from_a_spreadsheet_follows_from_all_that_the_reader_is_handed() -> None:
    assert settings_behind("drop_rows") == ("max_rows", "sheet", "sheet_memory_mb", "sheet_seconds", "url_column")


def test_a_group_takes_its_own_settings_and_knows_no_others(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, max_rows=7, seed=3)
    for group in GROUPS:
        part = group.from_settings(settings)
        assert part.model_dump() == {name: getattr(settings, name) for name in group.model_fields}
