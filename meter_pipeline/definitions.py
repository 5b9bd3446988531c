"""The whole graph put together. Importing it takes no torch, pandas or scikit-learn: asset bodies import what they need."""

from __future__ import annotations

import dagster as dg

from meter_pipeline.defs import batches, dataset, discovery, model, observations, review
from meter_pipeline.defs.jobs import JOBS
from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.defs.sensors import SCHEDULES, SENSORS

OWNERS = {
    "dataset": "team:machine-learning",
    "model": "team:machine-learning",
    "batches": "team:operations",
    "discovery": "team:operations",
    "review": "team:operations",
}


def build_definitions(pipeline: Pipeline | None = None) -> dg.Definitions:
    """Put the graph together.

    Args:
        pipeline: the data directory and settings; from the environment where None. Tests hand in their own.
    """
    modules = [observations, dataset, model, batches, discovery, review]
    return dg.Definitions(
        assets=dg.load_assets_from_modules(modules),
        asset_checks=dg.load_asset_checks_from_modules(modules),
        jobs=JOBS,
        sensors=SENSORS,
        schedules=SCHEDULES,
        resources={"pipeline": pipeline or Pipeline()},
        # One process a run: a process a step would load torch anew for each.
        executor=dg.in_process_executor,
    ).map_asset_specs(func=lambda spec: spec.replace_attributes(owners=[OWNERS[spec.group_name or "review"]]))


defs = build_definitions()
