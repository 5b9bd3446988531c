"""Writes a data set of drawn photos: labelled ones, served ones, two workbooks of URLs, and the truth about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SampleSize:
    """How much is drawn.

    Attributes:
        name: small, demo or full.
        labelled: labelled photos a known class, in the catalogue's order.
        unseen: served photos an unseen design, in the catalogue's order.
        known: served photos of known classes.
        dark, blurred, junk: served photos of these kinds.
        dead, corrupt: URLs without a file, and files that are no photos.
    """

    name: str
    labelled: tuple[int, ...]
    unseen: tuple[int, ...]
    known: int
    dark: int
    blurred: int
    junk: int
    dead: int
    corrupt: int

    @classmethod
    def small(cls) -> SampleSize:
        """For tests and CI."""
        raise NotImplementedError

    @classmethod
    def demo(cls) -> SampleSize:
        """For the demo's five minutes."""
        raise NotImplementedError

    @classmethod
    def full(cls) -> SampleSize:
        """The whole catalogue."""
        raise NotImplementedError


@dataclass(frozen=True)
class SampleData:
    """What was written.

    Attributes:
        classes: labelled photos a class.
        served: number of served files.
        served_folder: what the image server serves.
        truth: CSV with path (as in the URL, with a leading slash), kind, design.
        workbooks: the drop files, in the order to drop them.
        rows: URL rows a workbook.
    """

    classes: dict[str, int]
    served: int
    served_folder: Path
    truth: Path
    workbooks: tuple[Path, ...]
    rows: tuple[int, ...]


def served_folder(data_dir: Path) -> Path:
    """Return the folder the image server serves, `<data_dir>/demo/served`."""
    return data_dir / "demo" / "served"


def write_sample_data(
    data_dir: Path,
    size: SampleSize,
    *,
    base_url: str,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> SampleData:
    """Draw a sample data set; what is already there is kept and not drawn again.

    Args:
        data_dir: the data directory.
        size: how much.
        base_url: where the served folder will be served, e.g. `http://127.0.0.1:8765`.
        seed: another seed draws other photos of the same designs.
        progress: called with (photos done, photos in all) as they are written.
        workers: processes that draw; unset: the machine's cores, at most 8. The bytes do not depend on it.

    Raises:
        MeterError: the directory holds labelled photos that are not drawn ones.
        StorageError: the disk is full or not ours to write.
    """
    raise NotImplementedError


def drop_workbook(workbook: Path, data_dir: Path, *, name: str | None = None) -> Path:
    """Copy a workbook into `<data_dir>/drops/`, whole or not at all, and return where it is."""
    raise NotImplementedError
