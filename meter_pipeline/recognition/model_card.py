"""A model's card, the versions there are, and which of them is champion and which is challenger; needs no torch.

What happened to the versions, when and why, is in `model_history`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from meter_pipeline.errors import NoChampionError, WeightsError, storage_errors
from meter_pipeline.recognition.model_files import CARD, FIX, hashes_of, read_card, write_card
from meter_pipeline.recognition.model_history import HistoryEntry, ModelEvent, read_history, write_history
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.private_folders import make_private
from meter_pipeline.storage.sealed_json import problem_of, read_sealed, write_sealed

WEIGHTS = "weights.safetensors"
_HISTORY_LOCK = ".history.lock"


@dataclass(frozen=True)
class ModelCard:
    """What a model is, what it was made from, and how it did.

    Attributes:
        version: `<4-digit sequence>-<8 hex of what it was trained on and with>`.
        created_at: UTC, ISO 8601.
        classes: in the order of the outputs.
        backbone: its name.
        weights_source: where the pretrained weights came from.
        dimensions: length of the embedding.
        preprocess: parameters of `Preprocess`.
        preprocess_id: their hash.
        data_version: content hash of the split it was trained on.
        config: the training's settings.
        counts: number of photos in each part of the split.
        waiting: classes that were left out, as their promoted photos show too few meters: by name, the numbers of
            `meters` and `photos` they have, and of meters `needed`.
        trained_on: image ids of the train and val photos.
        history: one entry per epoch.
        metrics: figures by name, shares 0 to 1.
        guard: what the guard was fitted to: its limits, what it flags of known and catches of hidden classes; how many
            train photos a class needs (`needs_photos`) until no more of its known photos are flagged than allowed, and
            the classes that have fewer (`below_promise`), of which `flagged_below` is flagged.
        early_exit: what a photo has to reach on the view of the whole to need no closer views (`early_exit`), and what
            that came to on held-out photos; without limits where every photo gets all views.
        temperature: fitted on held-out photos; 1 where there were none.
        libraries: versions.
        files: SHA-256 of every other file of the model's folder, by name; empty until `save_card` wrote the card.
    """

    version: str
    created_at: str
    classes: list[str]
    backbone: str
    weights_source: str
    dimensions: int
    preprocess: dict[str, Any]
    preprocess_id: str
    data_version: str
    config: dict[str, Any]
    counts: dict[str, int]
    waiting: dict[str, dict[str, int]]
    trained_on: list[str]
    history: list[dict[str, Any]]
    metrics: dict[str, float]
    guard: dict[str, Any]
    temperature: float
    libraries: dict[str, str]
    early_exit: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    @property
    def weights_sha256(self) -> str:
        """Of the weights file."""
        return self.files[WEIGHTS]

    def as_dict(self) -> dict[str, Any]:
        """Return the card without its long lists, for people."""
        card = asdict(self)
        del card["trained_on"], card["history"]
        card["preprocess"] |= {"direction": f"{len(card['preprocess']['direction'])} numbers"}
        return card


@dataclass(frozen=True)
class Champion:
    """The model in use.

    Attributes:
        version: which model it is.
        reason: why it came into use, as the gate says it.
        since: when it did, UTC, ISO 8601.
    """

    version: str
    reason: str
    since: str


def save_card(folder: Path, card: ModelCard) -> ModelCard:
    """Write a model's card, and return it.

    Args:
        folder: of the model; its other files are there already.
        card: what to write. Where it has no `files` yet, they are hashed now; otherwise the hashes stay, so that what
            was damaged since is still noticed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    card = card if card.files else replace(card, files=hashes_of(folder))
    write_card(folder, asdict(card))
    return card


def list_models(layout: Layout) -> list[str]:
    """Return the versions there are, oldest first."""
    return sorted(path.parent.name for path in layout.models.glob(f"*/{CARD}") if not path.parent.name.startswith("."))


def load_card(layout: Layout, version: str | None = None) -> ModelCard:
    """Read a model's card; the champion's where no version is given.

    Raises:
        NoChampionError: no model is in use yet.
        WeightsError: there is no such model, or its card cannot be read.
    """
    if version is None:
        version = champion_version(layout)
        if version is None:
            raise NoChampionError(
                "There is no model in use yet.",
                where=layout.champion,
                fix="Put labelled photos into data/raw/<CLASS>/ and run the train job: meter train",
            )
    folder = layout.models / version
    try:
        return ModelCard(**read_card(folder))
    except FileNotFoundError as error:
        raise WeightsError(
            f"There is no model {version}.", where=folder / CARD, fix="Train one: meter train"
        ) from error
    except TypeError as error:
        raise WeightsError(
            f"The model's card is of another version of this program: {error}.", where=folder / CARD, fix=FIX
        ) from error


def load_cards(layout: Layout) -> tuple[list[ModelCard], list[WeightsError]]:
    """Read the cards of all models: one damaged file does not hide the others.

    Returns:
        The cards that can be read, oldest first, and what is wrong with each of the others.
    """
    cards, problems = [], []
    for version in list_models(layout):
        try:
            cards.append(load_card(layout, version))
        except WeightsError as error:
            problems.append(error)
    return cards, problems


def load_champion(layout: Layout) -> Champion | None:
    """Return the model in use, or None.

    A person may write the file by hand, with the three fields of `Champion` and without a hash.

    Raises:
        WeightsError: the file does not say what was written.
    """
    try:
        champion = Champion(**read_sealed(layout.champion, by_hand=True))
        if not all(isinstance(value, str) for value in asdict(champion).values()) or not champion.version:
            raise TypeError
    except FileNotFoundError:
        return None
    except (OSError, TypeError, ValueError) as error:
        raise WeightsError(
            f"The file that names the model in use {problem_of(error)}.",
            where=layout.champion,
            fix="Run `meter verify --mend`, or delete it and name the model: meter model list, meter model accept",
        ) from error
    return champion


def restore_champion(layout: Layout) -> Champion | None:
    """Write which model is in use again, where that file is damaged or lost, from the history of the models.

    Returns:
        The model in use; None if the history names none whose card can be read: nothing is written then.

    Raises:
        MeterError: the history cannot be read either.
    """
    for entry in reversed(read_history(layout, in_use="", since=None)):
        if entry.event != ModelEvent.ROLLED_BACK:
            try:
                load_card(layout, entry.version)
            except WeightsError:
                return None
            champion = Champion(entry.version, entry.reason, since=entry.at)
            write_sealed(layout.champion, asdict(champion))
            return champion
    return None


def champion_version(layout: Layout) -> str | None:
    """Return the version in use, or None."""
    champion = load_champion(layout)
    return champion.version if champion else None


def challenger_version(layout: Layout) -> str:
    """Return the version that the last finished training produced; not always the highest.

    Raises:
        WeightsError: no training has finished in this data directory yet, or the file does not say what was written.
    """
    fix = "Run meter train; a model that exists already is reused, not trained again."
    try:
        return str(read_sealed(layout.challenger, by_hand=True)["version"])
    except FileNotFoundError as error:
        raise WeightsError("No training has finished here yet.", where=layout.challenger, fix=fix) from error
    except KeyError as error:
        raise WeightsError(
            "The file that names the last model is damaged.", where=layout.challenger, fix=fix
        ) from error
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"The file that names the last model {problem_of(error)}.", where=layout.challenger, fix=fix
        ) from error


def set_challenger(layout: Layout, version: str) -> None:
    """Name the model that a training produced, be it a new one or one that was there."""
    write_sealed(layout.challenger, {"version": version})


def load_history(layout: Layout) -> list[HistoryEntry]:
    """Return which models came into use and were rolled back, oldest first.

    Raises:
        MeterError: the file cannot be read.
    """
    champion = load_champion(layout)
    return read_history(
        layout, in_use=champion.version if champion else None, since=champion.since if champion else None
    )


def set_champion(layout: Layout, version: str, *, reason: str, by: str = "", rolls_back: bool = False) -> Champion:
    """Put a model into use, and record it in the history.

    Args:
        layout: the data directory.
        version: the model.
        reason: why, for people.
        by: who says so.
        rolls_back: whether the model in use is rolled back by it, so that no gate takes that into use again.

    Raises:
        MeterError: the history cannot be read.
        StorageError: the disk is full or not ours to write.
    """
    with storage_errors(layout.models):
        make_private(layout.models)
    with FileLock(layout.models / _HISTORY_LOCK):
        history, replaced = load_history(layout), champion_version(layout)
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        if rolls_back and replaced:
            history.append(HistoryEntry(replaced, ModelEvent.ROLLED_BACK, at, by, reason))
        event = ModelEvent.RETURNED if rolls_back else ModelEvent.ACCEPTED
        history.append(HistoryEntry(version, event, at, by, reason, replaced))
        write_history(layout, history)
        champion = Champion(version, reason, since=at)
        write_sealed(layout.champion, asdict(champion))
    return champion


def content_id(*parts: object) -> str:
    """Return 8 hex digits of what a model is trained on and with."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:8]


def next_version(layout: Layout, content: str) -> str:
    """Return the version a new model of this content gets; the one it has if it was trained already."""
    versions = list_models(layout)
    same = [version for version in versions if version.endswith(f"-{content}")]
    last = int(versions[-1].split("-")[0]) if versions else 0
    return same[-1] if same else f"{last + 1:04d}-{content}"
