"""The class folders of `data/raw`: which of them are one class, what it is called, and which names are no class.

Folders whose names differ by case, blanks or Unicode form are one class (`labels.class_key`) with one label: two
people, or two computers, spell one name in two ways.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import pandas as pd

from meter_pipeline.labels import FinalLabel, class_key

_RESERVED_KEYS = frozenset(class_key(label) for label in FinalLabel)
_logger = logging.getLogger(__name__)


def folder_of(path: str) -> str | None:
    """Return the class folder of a file, from its path below data/raw; None if it lies in none."""
    folder, is_below, _ = path.partition("/")
    return folder if is_below else None


def is_reserved(name: str) -> bool:
    """Return whether a name is an answer of the pipeline; a class of that name could not be told from it."""
    return class_key(name) in _RESERVED_KEYS


def class_labels(paths: Iterable[str], before: Iterable[str]) -> dict[str, str]:
    """Return the label of each class folder; folders that are one class have the same.

    It is the one that the class had before, if a folder is still called so, otherwise the name of the folder with most
    files, of several the first by name.

    Args:
        paths: the files below data/raw.
        before: labels of the last inventory.
    """
    counts = Counter(folder for folder in map(folder_of, paths) if folder is not None)
    labelled_before = set(before)
    folders: dict[str, list[str]] = defaultdict(list)
    for folder in sorted(counts):
        folders[class_key(folder)].append(folder)
    labels: dict[str, str] = {}
    for alike in folders.values():
        label = min(alike, key=lambda folder: (folder not in labelled_before, -counts[folder], folder))
        labels.update(dict.fromkeys(alike, label))
    return labels


def log_merged(labels: Mapping[str, str]) -> None:
    """Say in the log which folders are one class."""
    for label, folders in _merged(labels.items()).items():
        _logger.warning(
            "The folders %s are one class, %s: their names differ by case, blanks or Unicode form only.",
            " and ".join(map(repr, folders)),
            label,
        )


def merged_folders(inventory: pd.DataFrame) -> pd.DataFrame:
    """Return the classes that lie in several folders, as their names are one class; columns `class` and `folders`.

    Args:
        inventory: rows of `tables.IMAGE_INVENTORY`.
    """
    of_class = inventory[inventory["label"].notna()]
    merged = _merged((path.partition("/")[0], label) for path, label in of_class[["path", "label"]].to_numpy())
    rows = [(label, ", ".join(map(repr, folders))) for label, folders in merged.items()]
    return pd.DataFrame(rows, columns=["class", "folders"])


def _merged(labelled: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return label to folders, sorted, of the labels that several folders have."""
    folders: dict[str, set[str]] = defaultdict(set)
    for folder, label in labelled:
        folders[label].add(folder)
    return {label: sorted(folders[label]) for label in sorted(folders) if len(folders[label]) > 1}
