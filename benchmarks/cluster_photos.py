"""Photos with a known truth, as models see them that were shown only some of the classes.

Two pools: the field photos, and the drawn ones of `meter demo --full`, which nothing is chosen by. A model is trained
by the pipeline's own code (without its guard's folds) on some of the known classes, so that the others are unseen too.
What it makes of all photos is kept in a file of the work folder: training all models takes an hour on two cores, once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from meter_pipeline.labels import Origin
from meter_pipeline.recognition.embeddings import Embeddings, normalised
from meter_pipeline.recognition.plate_reading import nothing_read
from meter_pipeline.recognition.scores import Known

BACKBONE = "efficientnet_lite0"
KNOWN_CLASSES, DRAWS = (4, 6, 8, 12), 3
OTHER_COUNTRY = {
    "PEA": ("PEA",),
    "INDIA": ("CAPITAL", "EPPELTONE", "GENUS", "HPL", "LANDIS", "LT", "SCHNEIDER", "SECURE", "VISIONTEK"),
}
"""Models that know the makers of one country alone, by what their classes' names begin with."""
_VIEW_WEIGHTS = np.array([1.0, 1.0, 0.25], np.float32)
"""Of the three views in an embedding (`preprocess.LOCATED`)."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Photos with a known truth, one entry per photo.

    Attributes:
        name: field or drawn.
        files: the photos.
        image_ids: SHA-256 of each.
        labels: what each shows.
        junk: whether it shows no meter.
        teachable: whether its label may be a known class.
        groups: id of the physical meter or burst.
    """

    name: str
    files: list[Path]
    image_ids: np.ndarray
    labels: np.ndarray
    junk: np.ndarray
    teachable: np.ndarray
    groups: np.ndarray


@dataclass(frozen=True, kw_only=True)
class SeenPool:
    """A pool under one model.

    Attributes:
        name: of the model.
        pool: the photos.
        tuned: single views after fine-tuning, photos x views x dimensions.
        pretrained: the same before fine-tuning.
        printed: what was read on the plates, photos x codes; nothing unless asked for.
        shown: whether the model was trained on the photo.
        known: whether the model knows the photo's label.
    """

    name: str
    pool: Pool
    tuned: np.ndarray
    pretrained: np.ndarray
    printed: np.ndarray
    shown: np.ndarray
    known: np.ndarray

    @property
    def embeddings(self) -> Embeddings:
        """The photos as the pipeline stores them."""
        weights = (_VIEW_WEIGHTS / _VIEW_WEIGHTS.sum())[:, None]
        nothing = np.zeros((len(self.shown), 1), np.float32)
        tuned, pretrained = (self.tuned * weights).sum(axis=1), (self.pretrained * weights).sum(axis=1)
        return Embeddings(tuned=tuned, pretrained=pretrained, colours=nothing, printed=self.printed)

    def reference(self, embeddings: Embeddings) -> Known:
        """Return the photos that the model was trained on."""
        rows = np.flatnonzero(self.shown)
        codes = [pd.factorize(values[rows])[0] for values in (self.pool.labels, self.pool.groups)]
        return Known(labels=codes[0], groups=codes[1], embeddings=embeddings.take(rows).normalised())


def field_pool(folder: Path) -> Pool:
    """Return the field photos."""
    photos = pd.read_csv(folder / "photos.csv").sort_values("id", ignore_index=True)
    files = [folder / "photos" / f"{name}.jpg" for name in photos["id"]]
    return Pool(
        name="field",
        files=files,
        image_ids=_image_ids(files),
        labels=photos["label"].to_numpy(object),
        junk=(photos["role"] == "junk").to_numpy(),
        teachable=(photos["role"] == "known").to_numpy(),
        groups=photos["group"].to_numpy(object),
    )


def drawn_pool(folder: Path) -> Pool:
    """Draw the sample data of `meter demo --full` where they are not there yet, and return them."""
    from meter_pipeline.demo.sample_data import served_folder, write_sample_data
    from meter_pipeline.demo.sample_size import SampleSize

    data = write_sample_data(folder, SampleSize.full(), base_url="http://127.0.0.1:1")
    truth = pd.read_csv(data.truth, keep_default_na=False)
    served = truth[truth["kind"].isin(["unseen", "junk"])]
    taught = sorted((folder / "raw").glob("*/*.jpg"))
    files = [*taught, *(served_folder(folder) / path.lstrip("/") for path in served["path"])]
    labels = [*(file.parent.name for file in taught), *served["design"].where(served["kind"] == "unseen", "JUNK")]
    image_ids = _image_ids(files)
    first = np.unique(image_ids, return_index=True)[1]  # some files hold the bytes of another
    teachable = np.arange(len(files)) < len(taught)
    return Pool(
        name="drawn",
        files=[files[row] for row in first],
        image_ids=image_ids[first],
        labels=np.array(labels, object)[first],
        junk=(np.array(labels, object) == "JUNK")[first],
        teachable=teachable[first],
        groups=image_ids[first],
    )


def models_of(pool: Pool) -> dict[str, list[str]]:
    """Return the classes that each model is trained on, by the model's name."""
    classes = sorted(set(pool.labels[pool.teachable]))
    if pool.name == "drawn":
        return {f"drawn-12-{draw}": _drawn_at_random(classes, 12, draw) for draw in range(DRAWS)}
    found = {
        f"k{count}-{draw}": _drawn_at_random(classes, count, draw) for count in KNOWN_CLASSES for draw in range(DRAWS)
    }
    return found | {name: [c for c in classes if c.startswith(makers)] for name, makers in OTHER_COUNTRY.items()}


def see(pool: Pool, name: str, classes: Sequence[str], work: Path, *, printed: np.ndarray | None = None) -> SeenPool:
    """Train a model on these classes where it is not kept, and return the photos as it sees them."""
    kept = work / f"{name}.npz"
    if not kept.exists():
        work.mkdir(parents=True, exist_ok=True)
        arrays = _train_and_see(pool, name, classes, work)
        np.savez(kept.with_suffix(".tmp.npz"), **arrays)
        kept.with_suffix(".tmp.npz").replace(kept)
    arrays = np.load(kept)
    return SeenPool(
        name=name,
        pool=pool,
        tuned=arrays["tuned"].astype(np.float32),
        pretrained=arrays["pre"].astype(np.float32),
        printed=nothing_read(len(pool.files)) if printed is None else printed,
        shown=np.isin(pool.image_ids, arrays["ref"]),
        known=np.isin(pool.labels, list(classes)),
    )


def read_print(pool: Pool, work: Path) -> np.ndarray:
    """Return what is read on the plates, photos x codes; it is kept in the work folder."""
    from meter_pipeline.photos.parallel import in_parallel
    from meter_pipeline.recognition.plate_reading import plate_codes

    photos = list(zip(pool.files, pool.image_ids.tolist(), strict=True))
    read = in_parallel(lambda photo: plate_codes(photo[0], image_id=photo[1], folder=work / "plates"), photos, ahead=16)
    return np.stack(list(read))


def unit_view(views: np.ndarray, view: int) -> np.ndarray:
    """Return one view, L2-normalised, photos x dimensions."""
    return normalised(views[:, view])


def _image_ids(files: Sequence[Path]) -> np.ndarray:
    return np.array([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])


def _drawn_at_random(classes: Sequence[str], count: int, draw: int) -> list[str]:
    return sorted(np.random.default_rng(1000 * count + draw).choice(list(classes), count, replace=False).tolist())


def _train_and_see(pool: Pool, name: str, classes: Sequence[str], work: Path) -> dict[str, np.ndarray]:
    from meter_pipeline.dataset.dataset_split import split_dataset
    from meter_pipeline.recognition.model_store import load_model
    from meter_pipeline.recognition.network.backbones import load_backbone
    from meter_pipeline.recognition.network.device import pick_device, training_threads
    from meter_pipeline.settings import SplitSettings, TrainingSettings
    from meter_pipeline.storage.layout import Layout
    from meter_pipeline.storage.tables import DATASET_SPLIT
    from meter_pipeline.training.trained_model import train_model
    from meter_pipeline.training.trunk_cache import TrunkCache, block_outputs

    layout, seed = Layout(work / "models" / name), _seed(name)
    layout.raw.mkdir(parents=True, exist_ok=True)
    layout.cache.mkdir(parents=True, exist_ok=True)
    (work / "trunk").mkdir(exist_ok=True)
    # What the frozen trunk makes of a photo does not depend on the classes: computed once for all models.
    if not layout.trunk.exists():
        layout.trunk.symlink_to((work / "trunk").resolve(), target_is_directory=True)
    taught = np.flatnonzero(pool.teachable & np.isin(pool.labels, list(classes)))
    inventory = pd.DataFrame(
        {
            "image_id": pool.image_ids[taught],
            "path": [str(pool.files[row].resolve()) for row in taught],
            "label": pool.labels[taught],
            "group_id": pool.groups[taught],
            "origin": Origin.FOLDER,
            "reason": None,
        }
    )
    split = split_dataset(inventory, pd.DataFrame(columns=list(DATASET_SPLIT.columns)), SplitSettings(seed=seed))
    card = train_model(split, layout, TrainingSettings(backbone=BACKBONE, guard_folds=0, seed=seed))
    model = load_model(layout, card.version)
    cache = TrunkCache(layout.trunk, load_backbone(BACKBONE, "imagenet"), model.preprocess, seed, pick_device())
    image_ids, views = pool.image_ids.tolist(), len(model.preprocess.views)
    cache.fill(list(zip(image_ids, pool.files, strict=True)), views)
    with training_threads():
        blocks = {"pre": model.network_in_torch.pretrained_block, "tuned": model.network_in_torch.tuned_block}
        found = {key: block_outputs(block, cache, image_ids, views).numpy() for key, block in blocks.items()}
    return found | {"ref": np.array(model.reference.image_ids)}


def _seed(name: str) -> int:
    """Return the draw's number, which a model's name ends with; 0 for those of a country."""
    return int(name.rpartition("-")[2]) if "-" in name else 0
