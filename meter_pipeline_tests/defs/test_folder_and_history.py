"""A data folder without its history, or with another's: the history says what is there, and drops are named.

The folder holds tables and cards as runs leave them, but no photo and no trained network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from meter_pipeline.batches.prediction_exports import export_drops
from meter_pipeline.definitions import build_definitions
from meter_pipeline.defs import made_from
from meter_pipeline.defs.beta import beta_features
from meter_pipeline.defs.folder_and_history import note_what_is_there, what_waits
from meter_pipeline.defs.folder_contents import ASSETS, NOTHING, content_of
from meter_pipeline.defs.observations import observe_decisions, observe_drops
from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.defs.sensors import folder_sensor
from meter_pipeline.recognition.model_card import set_challenger, set_champion
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, URL_IMAGES
from meter_pipeline_tests.support.model_cards import write_card
from meter_pipeline_tests.support.two_drops import write_two_drops

VERSION = "0001-x"
BEFORE_THE_EXPORTS = {"drop_rows", "url_images", "image_features", "batch_predictions"}


@dataclass
class Machine:
    """A data folder, and a history beside it that a `meter dev` or `meter update` works with."""

    layout: Layout
    instance: dg.DagsterInstance
    cursor: Any = None

    @property
    def pipeline(self) -> Pipeline:
        return Pipeline(overrides={"data_dir": str(self.layout.root)})

    def look(self) -> set[str]:
        """Look at the input folders, and at all else; return what the history did not know."""
        for observe in (observe_drops, observe_decisions):
            self.instance.report_runless_asset_event(observe(self.layout))
        return {difference.asset for difference in note_what_is_there(self.instance, self.layout)}

    def version(self, asset: str) -> str | None:
        """The data version that the history has."""
        event = self.instance.get_latest_materialization_event(dg.AssetKey(asset))
        tags = event.asset_materialization.tags if event and event.asset_materialization else None
        return tags[made_from.DATA_VERSION] if tags else None

    @cached_property
    def definitions(self) -> dg.Definitions:
        return build_definitions(self.pipeline)

    @beta_features()
    def wanted(self) -> set[str]:
        """What automation asks for when it looks once."""
        result = dg.evaluate_automation_conditions(self.definitions, self.instance, cursor=self.cursor)
        self.cursor = result.cursor
        return {r.key.to_user_string() for r in result.results if result.get_num_requested(r.key)}

    def make_from_what_is_there(self) -> None:
        """Report all assets that the folder holds as a run does that just made them."""
        specs = {s.key.to_user_string(): s for s in self.definitions.resolve_all_asset_specs()}
        versions = {asset: content_of(asset, self.layout).version for asset in self.there()}
        versions["excel_drops"] = observe_drops(self.layout).tags[made_from.DATA_VERSION]
        versions["review_decisions"] = observe_decisions(self.layout).tags[made_from.DATA_VERSION]
        for asset in self.there():
            inputs = [dep.asset_key.to_user_string() for dep in specs[asset].deps]
            tags = {made_from.INPUT_VERSION + name: versions[name] for name in inputs if name in versions}
            tags |= {made_from.DATA_VERSION: versions[asset], made_from.CODE_VERSION: specs[asset].code_version or ""}
            self.instance.report_runless_asset_event(dg.AssetMaterialization(asset, tags=tags))

    def there(self) -> list[str]:
        return [asset for asset in ASSETS if content_of(asset, self.layout).is_there]

    def begin(self, *assets: str) -> dg.DagsterRun:
        """Begin a run that is to make these assets."""
        keys = {dg.AssetKey(asset) for asset in assets}
        job = self.definitions.resolve_implicit_global_asset_job_def().get_subset(asset_selection=keys)
        return self.instance.create_run_for_job(
            job, asset_selection=frozenset(keys), status=dg.DagsterRunStatus.STARTED
        )


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A data folder after a training and two drops."""
    layout = Layout(tmp_path / "data")
    layout.prepare()
    write_two_drops(layout)
    write_card(layout, VERSION, ["GREY", "BLUE"])
    set_challenger(layout, VERSION)
    set_champion(layout, VERSION, reason="for a test")
    export_drops(layout)
    return layout


@pytest.fixture
def machine(layout: Layout) -> Iterator[Machine]:
    """Another machine: the folder, and a history that knows nothing of it."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Machine(layout, instance)


def change(layout: Layout, reason: str) -> None:
    """Put other rows into a table, as a restored backup does."""
    rows = layout.lake.frame(BATCH_PREDICTIONS)
    layout.lake.replace(BATCH_PREDICTIONS, rows.assign(reason=reason))


def test_what_is_there_is_reported_once_and_what_is_not_is_not(machine: Machine) -> None:
    there = set(machine.there())
    assert {"champion_model", "trained_model", "drop_rows", "prediction_exports"} <= there
    assert {"dataset_split", "cluster_folders", "warehouse"}.isdisjoint(there), "the folder is half made"
    assert machine.look() == there
    assert {asset for asset in ASSETS if machine.version(asset)} == there
    assert machine.version("champion_model") == content_of("champion_model", machine.layout).version
    assert machine.look() == set()


def test_a_model_that_is_in_the_folder_is_waited_for_no_longer(machine: Machine) -> None:
    """The field case: drops were fetched and never named, as this history had never seen a champion."""
    before = Machine(machine.layout, machine.instance)
    for observe in (observe_drops, observe_decisions):
        machine.instance.report_runless_asset_event(observe(machine.layout))
    assert "image_features" not in before.wanted()
    machine.look()
    wanted = machine.wanted()
    assert wanted >= BEFORE_THE_EXPORTS, "from what the tables were made is not known: they are looked at again"
    assert not wanted & {"image_inventory", "dataset_split", "trained_model", "champion_model"}, "nothing trains"


def test_a_lost_history_is_told_from_what_things_were_made_and_misses_no_drop(machine: Machine) -> None:
    """Otherwise all would show as Unsynced, and be made again."""
    machine.look()
    machine.make_from_what_is_there()
    assert machine.look() == set()
    with dg.DagsterInstance.ephemeral() as begun_anew:
        again = Machine(machine.layout, begun_anew)
        assert again.look() == set(machine.there())
        assert not again.wanted() & BEFORE_THE_EXPORTS
        (machine.layout.drops / "august.csv").write_text("url\nhttp://photos.example/1.jpg\n", encoding="utf-8")
        again.look()
        assert again.wanted() >= BEFORE_THE_EXPORTS


def test_a_table_from_a_backup_replaces_what_the_history_says_and_what_follows_is_made_anew(
    machine: Machine,
) -> None:
    machine.look()
    machine.make_from_what_is_there()
    machine.wanted()
    rows = machine.layout.lake.frame(URL_IMAGES)
    machine.layout.lake.replace(URL_IMAGES, rows.iloc[:1])
    assert machine.look() == {"url_images"}
    assert machine.version("url_images") == content_of("url_images", machine.layout).version
    assert machine.wanted() >= {"url_images", "image_features", "batch_predictions"}


def test_what_was_taken_out_of_the_folder_is_said(machine: Machine) -> None:
    machine.look()
    machine.layout.champion.unlink()
    assert machine.look() == {"champion_model"}
    assert machine.version("champion_model") == NOTHING
    assert machine.look() == set()
    assert "meter train" in what_waits(machine.layout)


def test_what_a_run_is_at_work_on_or_left_half_made_is_not_reported(machine: Machine) -> None:
    machine.look()
    run = machine.begin("batch_predictions")
    change(machine.layout, "half made")
    assert machine.look() == set()
    machine.instance.report_run_failed(run)
    assert machine.look() == set(), "the next run makes it whole"
    machine.make_from_what_is_there()
    change(machine.layout, "from a backup")
    assert machine.look() == {"batch_predictions"}


def test_what_stands_after_a_training_that_failed_is_reported(machine: Machine) -> None:
    machine.instance.report_run_failed(machine.begin("trained_model"))
    assert "trained_model" in machine.look()


def test_a_damaged_model_holds_up_what_is_made_with_it_and_says_so(machine: Machine) -> None:
    """As what cannot be read it is reported too: never heard of, it would be waited for in silence."""
    (machine.layout.models / VERSION / "model.json").write_text("{", encoding="utf-8")
    assert machine.look() >= {"champion_model", "trained_model", "drop_rows", "url_images"}
    assert "image_features" not in machine.wanted()
    key = dg.AssetCheckKey(dg.AssetKey("champion_model"), "champion_fits_its_weights")
    (record,) = machine.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert record.status.value == "FAILED"


def test_a_folder_replaced_under_meter_dev_is_reported_when_two_looks_agree(machine: Machine) -> None:
    machine.look()
    cursor = None

    def look() -> str:
        nonlocal cursor
        context = dg.build_sensor_context(
            instance=machine.instance, cursor=cursor, resources={"pipeline": machine.pipeline}
        )
        result = folder_sensor(context)
        cursor = context.cursor
        assert isinstance(result, dg.SkipReason)
        return str(result.skip_message)

    assert look() == "The history says what the data folder holds."
    change(machine.layout, "from a backup")
    assert look() == "Perhaps still being copied: batch_predictions."
    change(machine.layout, "from a backup, complete")
    assert look() == "Perhaps still being copied: batch_predictions."
    assert "other content than the history has: batch_predictions" in look()
    assert look() == "The history says what the data folder holds."
