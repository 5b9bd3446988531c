"""The whole graph put together; importing it loads no torch, pandas or scikit-learn."""

from __future__ import annotations

import dagster as dg

from meter_pipeline.defs import batches, dataset, discovery, model, observations, review
from meter_pipeline.defs.beta import beta_features
from meter_pipeline.defs.jobs import JOBS
from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.defs.sensors import SCHEDULES, SENSORS
from meter_pipeline.settings import Settings, settings_behind

OWNERS = {
    "dataset": "team:machine-learning",
    "model": "team:machine-learning",
    "batches": "team:operations",
    "discovery": "team:operations",
    "review": "team:operations",
}


@beta_features()
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
        # One process per run: with one per step, each would load torch again.
        executor=dg.in_process_executor,
    ).map_asset_specs(func=lambda spec: _completed(spec, settings))


def _completed(spec: dg.AssetSpec, settings: Settings) -> dg.AssetSpec:
    """Give an asset its owner, and a code version that changes with the settings that its result depends on."""
    name, group = spec.key.to_user_string(), spec.group_name or ""
    version = spec.code_version
    behind = settings_behind(name)
    if version and behind:
        version = f"{version}-{settings.digest(*behind)}"
    return spec.replace_attributes(owners=[OWNERS[group]], code_version=version)


defs = build_definitions()
