"""The jobs a person picks from a menu: train, and update."""

from __future__ import annotations

import dagster as dg

train = dg.define_asset_job(
    "train",
    selection=dg.AssetSelection.groups("dataset", "model").materializable(),
    description="Read the labelled photos, split them, train, evaluate, and take the model into use if it is no worse.",
)

update = dg.define_asset_job(
    "update",
    selection=(
        dg.AssetSelection.groups("batches", "discovery") | dg.AssetSelection.assets("warehouse")
    ).materializable(),
    description="Read the drops, fetch and name new photos, cluster the UNKNOWN ones, write folders and reports.",
)

JOBS = [train, update]
