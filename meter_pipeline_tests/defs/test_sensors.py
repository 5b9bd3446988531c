"""What watches the folders: each change is observed once, and a file that never settles does not stop the others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from meter_pipeline.defs.observations import observe_labelled
from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.defs.sensors import (
    MOST_LOOKS_HELD,
    decision_sensor,
    drop_sensor,
    labelled_images_schedule,
    retraining,
)
from meter_pipeline.storage.tables import PROMOTED_IMAGES

Look = dg.SensorResult | dg.SkipReason


class Watch:
    """The sensor with its cursor from look to look, over a real folder."""

    def __init__(self, root: Path, instance: dg.DagsterInstance) -> None:
        self.pipeline = Pipeline(overrides={"data_dir": str(root)})
        self.drops = self.pipeline.layout.drops
        self.drops.mkdir(parents=True)
        self.instance = instance
        self.cursor: str | None = None

    def look(self) -> Look:
        resources = {"pipeline": self.pipeline}
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor, resources=resources)
        result = drop_sensor(context)
        self.cursor = context.cursor
        assert isinstance(result, Look)
        report(result, self.instance)
        return result


def report(result: Look, instance: dg.DagsterInstance) -> None:
    """Put what a sensor observed into the history, as the daemon does."""
    for event in result.asset_events if isinstance(result, dg.SensorResult) else []:
        instance.report_runless_asset_event(event)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def watch(tmp_path: Path, instance: dg.DagsterInstance) -> Watch:
    watch = Watch(tmp_path, instance)
    assert observed_files(watch.look()) == 0
    return watch


def observed_files(result: Look) -> object:
    assert isinstance(result, dg.SensorResult)
    (observation,) = result.asset_events
    assert isinstance(observation, dg.AssetObservation)
    return observation.metadata["files"].value


def skipped(result: Look) -> str:
    assert isinstance(result, dg.SkipReason)
    return str(result.skip_message)


def test_a_file_is_observed_when_two_looks_agree_and_only_once(watch: Watch) -> None:
    (watch.drops / "may.csv").write_text("url\n", encoding="utf-8")
    assert skipped(watch.look()) == "New or still being written: may.csv."
    assert observed_files(watch.look()) == 1
    assert skipped(watch.look()) == "Nothing new among 1 file(s)."


def test_a_file_that_never_settles_holds_up_the_others_for_some_looks_only(watch: Watch) -> None:
    (watch.drops / "may.csv").write_text("url\n", encoding="utf-8")
    growing = watch.drops / "growing.csv"

    def look_after_growth(size: int) -> Look:
        growing.write_bytes(b"x" * size)
        os.utime(growing, ns=(size, size))
        return watch.look()

    for size in range(MOST_LOOKS_HELD):
        assert "growing.csv" in skipped(look_after_growth(size))
    assert observed_files(look_after_growth(MOST_LOOKS_HELD)) == 1


@pytest.mark.slow
def test_labelled_photos_are_observed_when_they_differ_from_the_last_observation(tmp_path: Path) -> None:
    pipeline = Pipeline(overrides={"data_dir": str(tmp_path / "data")})
    (pipeline.layout.raw / "LT2").mkdir(parents=True)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:  # a schedule opens its instance by reference

        def look() -> object:
            context = dg.build_schedule_context(instance=instance, resources={"pipeline": pipeline})
            with context:
                return labelled_images_schedule(context)

        assert isinstance(look(), dg.RunRequest)
        instance.report_runless_asset_event(observe_labelled(pipeline.layout))
        assert isinstance(look(), dg.SkipReason)
        (pipeline.layout.raw / "LT2" / "a.jpg").write_bytes(b"1")
        assert isinstance(look(), dg.RunRequest)


def test_each_new_decision_is_reported_once(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    pipeline, cursor = Pipeline(overrides={"data_dir": str(tmp_path)}), None

    def look() -> object:
        nonlocal cursor
        context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"pipeline": pipeline})
        result = decision_sensor(context)
        cursor = context.cursor
        assert isinstance(result, Look)
        report(result, instance)
        return result

    assert isinstance(look(), dg.SensorResult), "the first look reports that there is none"
    assert isinstance(look(), dg.SkipReason)
    file = pipeline.layout.decisions / "2026-11" / "0196.json"
    file.parent.mkdir(parents=True)
    file.write_text("{}", encoding="utf-8")
    result = look()
    assert isinstance(result, dg.SensorResult)
    assert [event.asset_key.to_user_string() for event in result.asset_events] == ["review_decisions"]
    assert isinstance(look(), dg.SkipReason)


def test_a_training_by_itself_is_off_unless_a_setting_turns_it_on(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    def look(cursor: str | None, **settings: object) -> tuple[object, str | None]:
        pipeline = Pipeline(overrides={"data_dir": str(tmp_path), **settings})
        context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"pipeline": pipeline})
        return retraining(context), context.cursor

    promoted = pd.DataFrame(
        [
            dict.fromkeys(PROMOTED_IMAGES.columns)
            | {"image_id": f"{number}", "label": "NEW", "status": "promoted", "class_meters": 3}
            for number in range(4)
        ]
    )
    Pipeline(overrides={"data_dir": str(tmp_path)}).layout.lake.replace(PROMOTED_IMAGES, promoted)
    off, _ = look(None)
    assert isinstance(off, dg.SkipReason)
    assert "METER_RETRAIN_FROM_PHOTOS" in str(off.skip_message)
    requested, cursor = look(None, retrain_from_photos=4)
    assert isinstance(requested, dg.RunRequest)
    assert "4 named photos" in requested.tags["meter/why"]
    again, _ = look(cursor, retrain_from_photos=4)
    assert isinstance(again, dg.SkipReason), "at most once a day, whatever became of it"
