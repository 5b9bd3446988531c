"""The names of classes: a class is a folder of data/raw, so its name is one that every file system takes.

Which names are one class is decided by `labels.class_key` alone.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

from meter_pipeline.errors import MeterError
from meter_pipeline.labels import Action, FinalLabel, class_key
from meter_pipeline.storage.files import INVISIBLE, WINDOWS_DEVICE
from meter_pipeline.storage.layout import NOISE_FOLDER, Layout

RESERVED = frozenset(class_key(word) for word in (*FinalLabel, NOISE_FOLDER, Action.JUNK))
"""Answers of the pipeline; a class of that name could not be told from them."""
LARGEST_BYTES = 150
"""Of a class's name in UTF-8: file systems take 255 per folder, and names of reports are made from it."""
NEARLY_EQUAL = 0.85
"""Ratio of `difflib` from which on two names may be one, mistyped."""
_NOT_IN_NAMES = re.compile(rf'[<>:"/\\|?*\x00-\x1f\x7f-\x9f{INVISIBLE}]+')


class ClassNames:
    """How classes are called: by the names that are there, and a safe spelling of those that are not.

    Args:
        known: folder names in data/raw. Of two that are one class the first by name counts.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._spelling: dict[str, str] = {}
        for name in sorted(known):
            self._spelling.setdefault(class_key(name), name)

    @property
    def known(self) -> list[str]:
        """The names so far, sorted."""
        return sorted(self._spelling.values())

    def resolve(self, target: str) -> str:
        """Return the folder name of a class: that of the class that is there already, otherwise a safe spelling.

        The first spelling of a new class stays: the next name that is the same class gets it too.

        Raises:
            MeterError: it is not there and cannot be a class: empty, or too long; or it is reserved.
        """
        key = class_key(target)
        if key in self._spelling and key not in RESERVED:
            return self._spelling[key]
        name = safe_spelling(target)
        return self._spelling.setdefault(class_key(name), name)

    def nearly_equal(self, target: str) -> list[str]:
        """Return the classes that are there whose names are nearly this one, but another class."""
        key = class_key(target)
        near = difflib.get_close_matches(key, self._spelling, n=3, cutoff=NEARLY_EQUAL)
        return [self._spelling[other] for other in near if other != key]


def safe_spelling(target: str) -> str:
    """Return a name as a folder that Windows and Linux take, in one Unicode form.

    Raises:
        MeterError: nothing is left of it, it is reserved, or it is too long.
    """
    text = unicodedata.normalize("NFC", target).encode("utf-8", "replace").decode("utf-8")
    name = _NOT_IN_NAMES.sub("_", " ".join(text.split())).strip(" ._")
    if not name:
        raise _refused(target, "has no letter or digit", "Give the class a name.")
    if class_key(name) in RESERVED:
        raise _refused(target, "is an answer of the pipeline, not a meter type", "Choose another name.")
    if WINDOWS_DEVICE.fullmatch(name):
        name = f"class_{name}"
    if len(name.encode()) > LARGEST_BYTES:
        raise _refused(target, f"has more than {LARGEST_BYTES} bytes", "Choose a shorter name.")
    return name


def class_names_of(layout: Layout) -> ClassNames:
    """Return the classes that have a folder in data/raw."""
    if not layout.raw.is_dir():
        return ClassNames()
    return ClassNames(path.name for path in layout.raw.iterdir() if path.is_dir() and not path.name.startswith("."))


def _refused(target: str, why: str, fix: str) -> MeterError:
    shown = " ".join(target.split())[:60]
    return MeterError(f"{shown!r} cannot be the name of a class: it {why}.", where="class", fix=fix)
