"""Models on disk: the card, the network and the reference photos; needs torch only where a model answers by it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays

from meter_pipeline.errors import WeightsError
from meter_pipeline.recognition.early_exit import EarlyExit
from meter_pipeline.recognition.embeddings import Embeddings
from meter_pipeline.recognition.guard import Guard
from meter_pipeline.recognition.model_card import WEIGHTS, ModelCard, load_card
from meter_pipeline.recognition.model_files import CARD, FIX, check_files, read_card
from meter_pipeline.recognition.network.engine_choice import choose_engine
from meter_pipeline.recognition.network.engines import NETWORK, Engine
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline.recognition.scores import FAMILIAR_PRINT, Known
from meter_pipeline.settings import EngineName, ServingSettings, load_settings
from meter_pipeline.storage.hashes import stamp
from meter_pipeline.storage.layout import Layout

if TYPE_CHECKING:
    import pandas as pd

    from meter_pipeline.recognition.network.torch_network import TorchNetwork

REFERENCE = "reference.safetensors"
HELD_OUT = "held_out.parquet"
MEASURED_ENGINES = "engines.json"
"""In `Layout.cache`: which engine is the fastest on this machine."""


@dataclass(frozen=True)
class Reference:
    """The train photos as the guard knows them.

    Attributes:
        image_ids: the photos.
        known: what scores compare with, one row per photo.
    """

    image_ids: list[str]
    known: Known

    def save(self, path: Path) -> None:
        """Write them into a file of a model's folder."""
        known = self.known
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
            metadata={"image_ids": json.dumps(self.image_ids)},
        )

    @classmethod
    def load(cls, path: Path) -> Reference:
        """Read what `save` wrote."""
        arrays = load_arrays(path)
        with safe_open(path, "numpy") as handle:
            image_ids = json.loads(handle.metadata()["image_ids"])
        embeddings = Embeddings(
            tuned=arrays["tuned"], pretrained=arrays["pretrained"], colours=arrays["colours"], printed=arrays["printed"]
        )
        return cls(image_ids, Known(labels=arrays["labels"], groups=arrays["groups"], embeddings=embeddings))


def check_model(layout: Layout, version: str) -> None:
    """Look whether every file of a model is as it was written, and whether the model can answer.

    Raises:
        WeightsError: a file is missing or damaged, or the files do not fit together; the message says which.
    """
    card = load_card(layout, version)
    check_files(layout.models / version, card.files, sorted({WEIGHTS, REFERENCE, HELD_OUT, *card.files}))
    _ = load_model(layout, version).engine


@dataclass(frozen=True, kw_only=True)
class MeterModel:
    """A model ready to answer.

    Attributes:
        card: what it is.
        preprocess: makes views of photos.
        reference: its train photos.
        early_exit: which photos get no closer views; None: every photo gets all views.
        load_engine: loads what puts views through its network; see `engine`.
        load_network: loads its network in torch; see `network_in_torch`.
    """

    card: ModelCard
    preprocess: Preprocess
    reference: Reference
    early_exit: EarlyExit | None
    load_engine: Callable[[], Engine]
    load_network: Callable[[], TorchNetwork]

    @cached_property
    def engine(self) -> Engine:
        """What puts views through its network, loaded when it is first asked for: most who ask a model need none.

        Raises:
            WeightsError: the network is missing, damaged, or not that of the card.
            MeterError: the engine that the settings name is not installed.
        """
        return self.load_engine()

    @cached_property
    def network_in_torch(self) -> TorchNetwork:
        """Its network in torch, likewise.

        Raises:
            WeightsError: the weights are missing, damaged, or not those of the card.
        """
        return self.load_network()

    @property
    def version(self) -> str:
        """Its version."""
        return self.card.version

    @property
    def classes(self) -> list[str]:
        """The classes, in the order of the outputs."""
        return self.card.classes

    @cached_property
    def guard(self) -> Guard:
        """What tells whether a photo looks like the known ones."""
        return Guard.from_card(self.card.guard)

    @property
    def reads_plates(self) -> bool:
        """Whether its guard asks for what is printed on the plates."""
        return self.guard.uses(FAMILIAR_PRINT)

    @property
    def preprocess_id(self) -> str:
        """How photos come into it."""
        return self.card.preprocess_id


def load_model(layout: Layout, version: str | None = None, *, serving: ServingSettings | None = None) -> MeterModel:
    """Load a model; the champion where no version is given. A process loads the same files once.

    Args:
        layout: the data directory.
        version: the model.
        serving: how it answers; None: as the environment says.

    Raises:
        NoChampionError: no model is in use yet.
        WeightsError: the card or the file of the train photos is missing or damaged; the message says which.
    """
    card = load_card(layout, version)
    folder = layout.models / card.version
    check_files(folder, card.files, [REFERENCE])
    if serving is None:
        serving = ServingSettings.from_settings(load_settings(data_dir=layout.root))
    there = (path for path in (folder / name for name in (CARD, *card.files)) if path.exists())
    stamps = tuple((path.name, *stamp(path.stat())) for path in there)
    return _load(folder, serving.serving_engine, serving.adaptive_views, layout.cache / MEASURED_ENGINES, stamps)


@lru_cache(maxsize=2)
def _load(
    folder: Path, engine: EngineName, adaptive_views: bool, measured: Path, _stamps: tuple[tuple[str | int, ...], ...]
) -> MeterModel:
    card = ModelCard(**read_card(folder))
    raw: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in card.preprocess.items()
    }
    preprocess = Preprocess(**raw)
    if preprocess.preprocess_id != card.preprocess_id:
        raise _unfit("The card's preprocess id is not that of its parameters", folder / CARD)

    def load_network() -> TorchNetwork:
        return _network_in_torch(folder, card)

    def load_engine() -> Engine:
        if NETWORK in card.files:
            check_files(folder, card.files, [NETWORK])
        found = choose_engine(folder, engine, side=preprocess.size, by_torch=by_torch, measured=measured)
        return _fitting(found, card, folder)

    def by_torch() -> Engine:
        from meter_pipeline.recognition.network.torch_network import TorchEngine

        return TorchEngine(model.network_in_torch, preprocess)

    model = MeterModel(
        card=card,
        preprocess=preprocess,
        reference=Reference.load(folder / REFERENCE),
        early_exit=EarlyExit.from_card(card.early_exit) if adaptive_views else None,
        load_engine=load_engine,
        load_network=load_network,
    )
    return model


def _fitting(engine: Engine, card: ModelCard, folder: Path) -> Engine:
    """Return the engine if its network has as many outputs as the card has classes."""
    if engine.classes != len(card.classes):
        raise _unfit(
            f"The card names {len(card.classes)} classes, but the network has {engine.classes}", folder / NETWORK
        )
    return engine


def _network_in_torch(folder: Path, card: ModelCard) -> TorchNetwork:
    from safetensors.torch import load_file

    from meter_pipeline.recognition.network.torch_network import TorchNetwork, UnfitWeightsError

    path = folder / WEIGHTS
    check_files(folder, card.files, [WEIGHTS])
    try:
        return TorchNetwork.of(
            load_file(path), backbone=card.backbone, dimensions=card.dimensions, classes=len(card.classes)
        )
    except UnfitWeightsError as error:
        what = (
            f"The card names {len(card.classes)} classes and {card.backbone}, but the weights belong to another model"
        )
        raise _unfit(f"{what} ({error})", path) from error


def _unfit(what: str, path: Path) -> WeightsError:
    return WeightsError(f"{what}.", where=path, fix=FIX)


def load_held_out(layout: Layout, version: str) -> pd.DataFrame:
    """Read the photos that were held out or hidden when a model's guard was fitted; without rows if there were none.

    Raises:
        WeightsError: the model's file of them, or its card, is missing or damaged.
    """
    import pandas as pd

    folder = layout.models / version
    check_files(folder, load_card(layout, version).files, [HELD_OUT])
    return pd.read_parquet(folder / HELD_OUT)
