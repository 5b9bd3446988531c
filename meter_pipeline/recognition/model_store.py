"""Models on disk: weights and reference photos beside the card; the folder of a version appears whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import safe_open
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from torch import nn

from meter_pipeline.errors import WeightsError
from meter_pipeline.recognition.embeddings import Embeddings
from meter_pipeline.recognition.guard import Guard
from meter_pipeline.recognition.model_card import WEIGHTS, ModelCard, load_card, save_card
from meter_pipeline.recognition.model_files import CARD, FIX, check_files, read_card
from meter_pipeline.recognition.network.backbones import load_architecture
from meter_pipeline.recognition.network.device import pick_device
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline.recognition.scores import FAMILIAR_PRINT, Known
from meter_pipeline.storage.files import replacing
from meter_pipeline.storage.hashes import stamp
from meter_pipeline.storage.layout import Layout

REFERENCE = "reference.safetensors"
HELD_OUT = "held_out.parquet"


@dataclass(frozen=True)
class Reference:
    """The train photos as the guard knows them.

    Attributes:
        image_ids: the photos.
        known: what scores compare with, one row per photo.
    """

    image_ids: list[str]
    known: Known


@dataclass(frozen=True)
class MeterModel:
    """A model ready to answer, on the device it will run on."""

    card: ModelCard
    trunk: nn.Module
    pretrained_block: nn.Module
    tuned_block: nn.Module
    head: nn.Linear
    preprocess: Preprocess
    reference: Reference
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def version(self) -> str:
        """Its version."""
        return self.card.version

    @property
    def classes(self) -> list[str]:
        """The classes, in the order of the outputs."""
        return self.card.classes

    @property
    def reads_plates(self) -> bool:
        """Whether its guard asks for what is printed on the plates."""
        return Guard.from_card(self.card.guard).uses(FAMILIAR_PRINT)

    @property
    def preprocess_id(self) -> str:
        """How photos come into it."""
        return self.card.preprocess_id


def save_model(
    layout: Layout,
    card_fields: Mapping[str, Any],
    parts: Mapping[str, nn.Module],
    reference: Reference,
    held_out: pd.DataFrame,
) -> ModelCard:
    """Write a model's folder and return its card.

    Args:
        layout: the data directory.
        card_fields: the card without `files` and `created_at`.
        parts: trunk, pretrained_block, tuned_block, head.
        reference: the train photos as the guard knows them.
        held_out: photos that were held out or hidden, with what the guard makes of them: rows of
            `training.held_out.held_out_rows`.
    """
    tensors = {
        f"{part}.{name}": tensor.detach().cpu().contiguous()
        for part, module in parts.items()
        for name, tensor in module.state_dict().items()
    }
    with replacing(layout.models / str(card_fields["version"])) as folder:
        folder.mkdir(parents=True)
        save_file(tensors, folder / WEIGHTS)
        _save_reference(reference, folder / REFERENCE)
        held_out.to_parquet(folder / HELD_OUT, index=False)
        card = ModelCard(**dict(card_fields), created_at=datetime.now(UTC).isoformat(timespec="seconds"))
        card = save_card(folder, card)
    return card


def load_model(layout: Layout, version: str | None = None) -> MeterModel:
    """Load a model; the champion where no version is given. A process loads the same files once.

    Raises:
        NoChampionError: no model is in use yet.
        WeightsError: the card does not fit its weights, or a file is missing; the message says which.
    """
    card = load_card(layout, version)
    folder = layout.models / card.version
    check_files(folder, card.files, sorted({WEIGHTS, REFERENCE, HELD_OUT, *card.files}))
    return _load(folder, tuple(stamp((folder / name).stat()) for name in (CARD, *card.files)))


@lru_cache(maxsize=2)
def _load(folder: Path, _stamp: tuple[tuple[int, ...], ...]) -> MeterModel:
    card, path = ModelCard(**read_card(folder)), folder / WEIGHTS
    tensors = load_file(path)
    architecture = load_architecture(card.backbone)
    pretrained_block, head = architecture.last_block, nn.Linear(card.dimensions, len(card.classes))
    tuned_block = load_architecture(card.backbone).last_block
    parts = {
        "trunk": architecture.trunk,
        "pretrained_block": pretrained_block,
        "tuned_block": tuned_block,
        "head": head,
    }
    for part, module in parts.items():
        own = {name.removeprefix(f"{part}."): t for name, t in tensors.items() if name.startswith(f"{part}.")}
        try:
            module.load_state_dict(own)
        except RuntimeError as error:
            what = (
                f"The card names {len(card.classes)} classes and {card.backbone}, but the weights belong to another "
                "model"
            )
            raise _unfit(f"{what} ({part}: {str(error).splitlines()[-1].strip()})", path) from error
    device = pick_device()
    for module in parts.values():
        module.eval().requires_grad_(False).to(device)
    raw: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in card.preprocess.items()
    }
    preprocess = Preprocess(**raw)
    if preprocess.preprocess_id != card.preprocess_id:
        raise _unfit("The card's preprocess id is not that of its parameters", folder / CARD)
    return MeterModel(
        card=card,
        trunk=architecture.trunk,
        pretrained_block=pretrained_block,
        tuned_block=tuned_block,
        head=head,
        preprocess=preprocess,
        reference=_load_reference(folder / REFERENCE),
        device=device,
    )


def _save_reference(reference: Reference, path: Path) -> None:
    known = reference.known
    arrays = {
        "labels": known.labels,
        "groups": known.groups,
        "pretrained": known.embeddings.pretrained,
        "tuned": known.embeddings.tuned,
        "colours": known.embeddings.colours,
        "printed": known.embeddings.printed,
    }
    save_arrays(
        {name: np.ascontiguousarray(values) for name, values in arrays.items()},
        path,
        metadata={"image_ids": json.dumps(reference.image_ids)},
    )


def _load_reference(path: Path) -> Reference:
    arrays = load_arrays(path)
    with safe_open(path, "numpy") as handle:
        image_ids = json.loads(handle.metadata()["image_ids"])
    embeddings = Embeddings(
        tuned=arrays["tuned"], pretrained=arrays["pretrained"], colours=arrays["colours"], printed=arrays["printed"]
    )
    return Reference(image_ids, Known(labels=arrays["labels"], groups=arrays["groups"], embeddings=embeddings))


def _unfit(what: str, path: Path) -> WeightsError:
    return WeightsError(f"{what}.", where=path, fix=FIX)


def load_held_out(layout: Layout, version: str) -> pd.DataFrame:
    """Read the photos that were held out or hidden when a model's guard was fitted; without rows if there were none.

    Raises:
        WeightsError: the model's file of them, or its card, is missing or damaged.
    """
    folder = layout.models / version
    check_files(folder, load_card(layout, version).files, [HELD_OUT])
    return pd.read_parquet(folder / HELD_OUT)
