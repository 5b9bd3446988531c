"""A model's folder as it was written: the card with the hash of every other file, and a hash of itself; needs no torch.

The order of the classes is the order of the network's outputs: a card that names them otherwise gives every photo the
wrong name. So the card keeps the classes twice: `trained_classes`, under its hash, and `classes`, which are shown. A
person may rename a shown class, and that is said; classes that changed places are refused.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from meter_pipeline.errors import WeightsError
from meter_pipeline.storage.files import sha256_of, write_json
from meter_pipeline.storage.hashes import difference
from meter_pipeline.storage.sealed_json import SealError, read_object, seal_of

_logger = logging.getLogger(__name__)

CARD = "model.json"
"""The card's file in a model's folder."""
FILES, SEAL, CLASSES, TRAINED_CLASSES = "files", "card_sha256", "classes", "trained_classes"
MOST_BITS_OF_ROT = 8
"""Up to so many other bits in a name of the same length are taken for damage, not for another name."""
FIX = "Restore the model's folder from a backup, or train again: meter train"


def hashes_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a model's folder except the card, by name."""
    return {path.name: sha256_of(path) for path in sorted(folder.iterdir()) if path.is_file() and path.name != CARD}


def write_card(folder: Path, fields: Mapping[str, Any]) -> None:
    """Write a model's card with a hash of itself.

    Args:
        folder: the model's.
        fields: what the card says; `files` as of `hashes_of` when the files were written.
    """
    card = {**fields, TRAINED_CLASSES: fields[CLASSES]}
    write_json(folder / CARD, {**card, SEAL: seal_of(_under_seal(card))})


def read_card(folder: Path) -> dict[str, Any]:
    """Read a model's card without what `write_card` added, the files' hashes apart.

    Raises:
        FileNotFoundError: there is none.
        WeightsError: it does not say what was written.
    """
    path = folder / CARD
    try:
        card = read_object(path)
        seal = card.pop(SEAL, None)
        if seal is None:
            raise SealError("carries no hash of itself: it is damaged, or of an older version of this program")
        if seal != seal_of(_under_seal(card)):
            raise SealError("does not say what was written (its hash differs)")
        if card["version"] != folder.name:
            raise SealError(f"is that of another model, {card['version']}")
        trained = card.pop(TRAINED_CLASSES)
        if problem := class_problem(trained, card.get(CLASSES)):
            raise SealError(problem)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError) as error:
        said = (error.strerror if isinstance(error, OSError) else None) or error
        raise WeightsError(f"The model's card {said}.", where=path, fix=FIX) from error
    if trained != card[CLASSES]:
        renamed = [f"{old} is shown as {new!r}" for old, new in zip(trained, card[CLASSES], strict=True) if old != new]
        _say_once(path, "; ".join(renamed))
    return card


def class_problem(trained: Sequence[str], shown: object) -> str | None:
    """Return why the shown classes cannot be those that were trained, as the end of a sentence; None if they can."""
    if not isinstance(shown, list) or not all(isinstance(name, str) and name.strip() for name in shown):
        return "does not name its classes"
    if len(shown) != len(trained):
        return f"names {len(shown)} classes, but the model was trained with {len(trained)}"
    if len(set(shown)) < len(shown):
        return "names a class twice"
    changed = [(old, new) for old, new in zip(trained, shown, strict=True) if old != new]
    if any(new in trained for _, new in changed):
        return "names the classes in another order than they were trained in"
    looks_like_rot = sum(_other_bits(old, new) for old, new in changed) <= MOST_BITS_OF_ROT
    if changed and (looks_like_rot or any(_has_control_sign(new) for _, new in changed)):
        old, new = changed[0]
        return f"names the class {new!r} instead of {old!r}"
    return None


def check_files(folder: Path, files: Mapping[str, str], names: Sequence[str] | None = None) -> None:
    """Look whether files of a model hold what was written; each is hashed once per process.

    Args:
        folder: the model's.
        files: the SHA-256 of each, from its card.
        names: which of them; None: all.

    Raises:
        WeightsError: one is missing, cut, changed, or not on the card.
    """
    for name in files if names is None else names:
        if problem := _file_problem(folder / name, files.get(name)):
            raise WeightsError(f"The model's file {name} {problem}.", where=folder / name, fix=FIX)


def model_problems(folder: Path) -> list[str]:
    """Return what is wrong with a model's folder, one sentence for each damaged file; nothing if it is sound."""
    try:
        files = read_card(folder)[FILES]
    except FileNotFoundError:
        return [f"The model's card is missing. [{folder / CARD}] {FIX}"]
    except WeightsError as error:
        return [str(error)]
    found = []
    for name in files:
        try:
            check_files(folder, files, [name])
        except WeightsError as error:
            found.append(str(error))
    return found


def _file_problem(path: Path, sha256: str | None) -> str | None:
    if sha256 is None:
        return "is not on the model's card"
    try:
        return difference(path, size=None, sha256=sha256)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"


def _under_seal(card: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in card.items() if name not in (SEAL, CLASSES)}


def _has_control_sign(name: str) -> bool:
    """Return whether a name has what nobody types, but one bit makes of `Ln` in JSON: a line break."""
    return any(unicodedata.category(sign) == "Cc" for sign in name)


def _other_bits(old: str, new: str) -> int:
    """Return how many bits differ between two names of one length; more than rot makes if their lengths differ."""
    left, right = old.encode(), new.encode()
    if len(left) != len(right):
        return MOST_BITS_OF_ROT + 1
    return (int.from_bytes(left) ^ int.from_bytes(right)).bit_count()


@lru_cache(maxsize=64)
def _say_once(path: Path, renamed: str) -> None:
    _logger.warning("%s names other classes than the model was trained with: %s", path, renamed)
