"""The result of a training, and how the model's card tells it."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import asdict, dataclass
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

from meter_pipeline.recognition.model_store import Reference
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline.recognition.network.torch_network import TorchNetwork
from meter_pipeline.recognition.plate_reading import reader_id
from meter_pipeline.recognition.scores import FAMILIAR_PRINT, Known
from meter_pipeline.settings import TrainingSettings
from meter_pipeline.training.early_exit_fitting import FittedEarlyExit
from meter_pipeline.training.guard_fitting import FittedGuard
from meter_pipeline.training.training_photos import TrainingSet
from meter_pipeline.training.two_phase import TrainedNetwork

_logger = logging.getLogger(__name__)

LIBRARIES = ("torch", "torchvision", "timm", "onnxruntime", "pillow", "numpy")
"""Whose versions the card names."""


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """The result of a training.

    Attributes:
        config: the settings it was trained with.
        photos: what it was trained on.
        network: the trained network.
        known: the train photos as the guard compares others with them.
        guard: the guard, and what is known of how it does.
        early_exit: which photos need no closer views.
        temperature: fitted on held-out photos; 1 where there were too few.
        val_accuracy: share of val photos named rightly, 0 to 1; None without a val set.
    """

    config: TrainingSettings
    photos: TrainingSet
    network: TrainedNetwork
    known: Known
    guard: FittedGuard
    early_exit: FittedEarlyExit
    temperature: float
    val_accuracy: float | None

    @property
    def trained(self) -> TorchNetwork:
        """The network as a whole."""
        backbone = self.network.cache.backbone
        return TorchNetwork(
            trunk=backbone.trunk,
            pretrained_block=backbone.last_block,
            tuned_block=self.network.tuned_block,
            head=self.network.head,
            device=self.network.cache.device,
        )

    @property
    def preprocess(self) -> Preprocess:
        """How photos come into the network."""
        return self.network.cache.preprocess

    @property
    def cached_files(self) -> set[Path]:
        """The files of the trunk's outputs that it was trained on."""
        parts = [self.photos.train, *([] if self.photos.val is None else [self.photos.val])]
        cache = self.network.cache
        return {file for part in parts for name in part.image_ids for file in cache.files(name, part.samples)}

    @property
    def reference(self) -> Reference:
        """The train photos as the model keeps them."""
        return Reference(self.photos.train.image_ids, self.known)

    @property
    def metrics(self) -> dict[str, float]:
        """Accuracies of the training, shares from 0 to 1."""
        metrics = {"train_accuracy": self.network.history[-1].train_accuracy}
        return metrics if self.val_accuracy is None else metrics | {"val_accuracy": self.val_accuracy}

    def card_fields(self) -> dict[str, Any]:
        """Return what the card says, but for the versions of model and data and the size of the split."""
        backbone, preprocess = self.network.cache.backbone, self.network.cache.preprocess
        return {
            "classes": self.photos.classes,
            "backbone": backbone.name,
            "weights_source": backbone.weights_source,
            "dimensions": backbone.dimensions,
            "preprocess": asdict(preprocess),
            "preprocess_id": preprocess.preprocess_id,
            "config": self.config.model_dump(),
            "trained_on": sorted(self.photos.image_ids),
            "history": [asdict(record) for record in self.network.history],
            "metrics": self.metrics,
            "guard": self._guard_fields(),
            "early_exit": self.early_exit.as_card(),
            "temperature": self.temperature,
            "libraries": {name: library_version(name) for name in LIBRARIES},
        }

    def _guard_fields(self) -> dict[str, Any]:
        fitted, note = self.guard, self.guard.note
        fields = fitted.guard.as_card() | {"known_flagged_limit": self.config.guard_known_flagged} | fitted.figures
        if fitted.hidden_caught is not None:
            fields |= {"tried": fitted.tried, "summary": fitted.summary}
        if fitted.needed is not None:
            counts = Counter(self.photos.names(self.photos.train))
            below = [name for name, photos in sorted(counts.items()) if not fitted.needed.is_met_by(photos)]
            needed = {"needs_photos": fitted.needed.photos, "flagged_below": fitted.needed.flagged_below}
            fields |= needed | {"below_promise": below}
        if fitted.guard.uses(FAMILIAR_PRINT):
            fields["reader"] = reader_id()
        elif self.config.read_plates:
            note = f"{note} Too few plates of held-out photos could be read: the guard does without print.".strip()
            _logger.warning("%s", note)
        return fields | ({"note": note} if note else {})
