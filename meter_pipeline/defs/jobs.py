"""The jobs a person picks from a menu: train, update, and which model is in use."""

from __future__ import annotations

import dagster as dg

DECISIONS = dg.AssetSelection.assets("reviewed_images", "promoted_images")
MODEL_IN_USE = dg.AssetSelection.assets("champion_model", "known_embeddings")

train = dg.define_asset_job(
    "train",
    selection=DECISIONS | dg.AssetSelection.groups("dataset", "model").materializable(),
    description="Read what people decided and the labelled photos, split them, train, evaluate, and take the model into"
    " use if it passes the gate.",
)

update = dg.define_asset_job(
    "update",
    selection=dg.AssetSelection.groups("batches", "discovery", "review").materializable(),
    description="Read what people decided and the drops, fetch and name new photos, cluster the UNKNOWN ones, write"
    " folders and reports.",
)

accept_model = dg.define_asset_job(
    "accept_model",
    selection=MODEL_IN_USE,
    config={"ops": {"champion_model": {"config": {"accept": "", "why": "", "by": ""}}}},
    description="Take a model into use that the gate held or refused: write its version and why into the config.",
)

roll_back_model = dg.define_asset_job(
    "roll_back_model",
    selection=MODEL_IN_USE,
    config={"ops": {"champion_model": {"config": {"roll_back": True, "roll_back_to": "", "why": "", "by": ""}}}},
    description="Go back to the model that was in use before, or to the version in `roll_back_to`: write why into the"
    " config.",
)

JOBS = [train, update, accept_model, roll_back_model]
