"""The whole graph put together; importing it takes no torch, pandas or scikit-learn."""

from __future__ import annotations

import dagster as dg

from meter_pipeline.defs import batches, dataset, discovery, model, observations, review
from meter_pipeline.defs.jobs import JOBS
from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.defs.sensors import SCHEDULES, SENSORS
from meter_pipeline.settings import Settings

OWNERS = {
    "dataset": "team:machine-learning",
    "model": "team:machine-learning",
    "batches": "team:operations",
    "discovery": "team:operations",
    "review": "team:operations",
}


RESULT_SETTINGS = {
    "dataset_split": ("split_test_from", "split_val_from", "seed"),
    "trained_model": (
        *("backbone", "weights", "epochs_head", "epochs_tune", "patience", "train_views", "batch_size", "seed"),
        *("guard_folds", "guard_known_flagged", "read_plates"),
    ),
    "evaluation_report": ("unknown_threshold", "guard"),
    "champion_model": ("champion_tolerance", "allow_dropped_classes"),
    "drop_rows": ("url_column", "sheet"),
    "batch_predictions": ("unknown_threshold", "guard", "dark_brightness"),
    "unknown_clusters": ("min_cluster_size", "seed"),
}
"""Settings that an asset follows from: where one changes, the asset is Unsynced, and automation runs it again."""


def build_definitions(pipeline: Pipeline | None = None) -> dg.Definitions:
    """Put the graph together.

    Args:
        pipeline: the data directory and settings; from the environment where None. Tests hand in their own.
    """
    pipeline = pipeline or Pipeline()
    settings = pipeline.settings()
    modules = [observations, dataset, model, batches, discovery, review]
    return dg.Definitions(
        assets=dg.load_assets_from_modules(modules),
        asset_checks=dg.load_asset_checks_from_modules(modules),
        jobs=JOBS,
        sensors=SENSORS,
        schedules=SCHEDULES,
        resources={"pipeline": pipeline},
        # One process a run: a process a step would load torch anew for each.
        executor=dg.in_process_executor,
    ).map_asset_specs(func=lambda spec: _completed(spec, settings))


def _completed(spec: dg.AssetSpec, settings: Settings) -> dg.AssetSpec:
    """Give an asset its owner, and a code version that changes with the settings its result follows from."""
    name, group = spec.key.to_user_string(), spec.group_name or ""
    version = spec.code_version
    if version and name in RESULT_SETTINGS:
        version = f"{version}-{settings.digest(*RESULT_SETTINGS[name])}"
    return spec.replace_attributes(owners=[OWNERS[group]], code_version=version)


defs = build_definitions()
