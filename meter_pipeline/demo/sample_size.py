"""How much a sample data set holds: small for tests, demo for five minutes, full for the whole catalogue."""

from __future__ import annotations

from dataclasses import dataclass

_DEMO_LABELLED = (62, 38, 28, 45, 12, 24, 7, 17, 33, 26, 14, 9, 5, 11)
_FURTHER_LABELLED = (58, 52, 44, 40, 36, 34, 31, 29, 27, 25, 23, 22, 21, 19, 18, 16, 15, 13, 12, 10, 9, 8, 6, 4)


@dataclass(frozen=True)
class SampleSize:
    """Numbers of photos and rows; a larger size draws what a smaller one draws, and more.

    Attributes:
        name: small, demo, full, or a test's own.
        labelled: labelled photos of each known class, in the catalogue's order, near and exact duplicates included.
        unseen: served photos of each unseen design, in the catalogue's order.
        known: served photos of known classes.
        dark: served photos too dark to read.
        blurred: served photos too blurred to read.
        junk: served photos of something else.
        dead: URLs without a file.
        corrupt: served files that are not a complete photo.
        duplicates: rows that repeat a URL, and as many URLs whose file has the bytes of another.
        unusable: rows of each workbook with words where the URL should be.
    """

    name: str
    labelled: tuple[int, ...]
    unseen: tuple[int, ...]
    known: int
    dark: int = 0
    blurred: int = 0
    junk: int = 0
    dead: int = 0
    corrupt: int = 0
    duplicates: int = 0
    unusable: int = 0

    @classmethod
    def small(cls) -> SampleSize:
        """Return the size for tests and CI: 5 classes, 60 labelled photos, drops of about 36 rows."""
        return cls("small", (24, 14, 11, 6, 5), (14, 12), 24, 2, 2, 8, 2, 2, 2, 1)

    @classmethod
    def demo(cls) -> SampleSize:
        """Return the size for the demo: 14 classes, 331 labelled photos, 5 unseen designs, drops of 100 rows."""
        return cls("demo", _DEMO_LABELLED, (16, 18, 14, 17, 15), 70, 8, 8, 18, 4, 2, 4, 1)

    @classmethod
    def full(cls) -> SampleSize:
        """Return the whole catalogue: 38 classes, 903 labelled photos, 8 unseen designs, drops of 228 rows."""
        labelled = _DEMO_LABELLED + _FURTHER_LABELLED
        return cls("full", labelled, (22, 20, 24, 19, 18, 20, 16, 15), 190, 16, 16, 50, 8, 4, 8, 1)
