"""Writes a data set of drawn photos: labelled ones, served ones, two workbooks of URLs, and the truth about them.

    <data_dir>/raw/<CLASS>/*.jpg            labelled photos
    <data_dir>/demo/served/<month>/*.jpg    what the image server serves
    <data_dir>/demo/truth.csv               path, kind, design of every served path
    <data_dir>/demo/workbooks/*.xlsx        two drops, not dropped yet: `drop_workbook` does
    <data_dir>/demo/README.txt              says that all of it is drawn
    <data_dir>/meter.env                    settings that the demo needs, unless the file exists

The same seed and size give the same bytes, however many processes draw. A photo that exists is not drawn again, so a
run that was killed goes on where it stopped, and a larger size adds to a smaller one.
"""

from __future__ import annotations

import csv
import hashlib
import io
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from meter_pipeline.demo.drawing.designs import known_designs, unseen_designs
from meter_pipeline.demo.drawing.parts import Design
from meter_pipeline.demo.drawing.photo import Condition, Shot
from meter_pipeline.demo.photo_files import PhotoFile, draw_photo_files
from meter_pipeline.demo.sample_size import SampleSize
from meter_pipeline.demo.workbooks import EAST_WORKBOOK, NORTH_WORKBOOK, write_east_workbook, write_north_workbook
from meter_pipeline.errors import MeterError
from meter_pipeline.settings import SETTINGS_FILE
from meter_pipeline.storage.files import write_bytes, write_text
from meter_pipeline.storage.layout import Layout

Kind = Literal["known", "unseen", "dark", "blurred", "junk", "dead", "corrupt"]
TRUTH_COLUMNS = ("path", "kind", "design")

_PHOTOS_PER_NEAR_DUPLICATE = 12
"""One labelled photo in this many is the second of a burst."""
_EXACT_DUPLICATE_FROM = 20
"""A class of at least this many labelled photos holds one file twice."""
_MONTHS = ("2024-05", "2024-06")
_UNUSABLE_LINK = "photo not taken"

_README = """This data directory holds DRAWN sample photos (meter_pipeline.demo), not photos of real meters.

raw/ has the labelled ones, demo/served/ those that the demo's image server serves, demo/workbooks/ the spreadsheets
that point to them, demo/truth.csv what each shows. Makers, names and numbers are invented. This file marks the
directory: sample data are never written among labelled photos that are not drawn. Keep your own photos in another data
directory (METER_DATA_DIR).
"""
_SETTINGS = """# Settings of this demo data directory (written once by the demo; yours to change).
# The backbone whose ImageNet weights came with the Python packages: the demo needs no internet.
METER_BACKBONE=efficientnet_lite0
# Half of the samples per photo, and two folds instead of three: the demo is to be done in five minutes.
METER_TRAIN_VIEWS=6
METER_GUARD_FOLDS=2
# Clusters by the look of photos alone: reading the print on a hundred of them would add 20 s or more.
METER_CLUSTER_PRINT=off
# The sample workbooks point to an image server on this machine; private addresses are refused unless named here.
METER_ALLOW_HOSTS=127.0.0.1
"""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SampleData:
    """What was written.

    Attributes:
        classes: number of labelled photos, by class.
        served: number of served files.
        truth: CSV with path (as in the URL, leading slash), kind, design (empty for junk, dead and corrupt).
        workbooks: the spreadsheets, in the order to drop them.
        rows: number of rows below the header, in the order of `workbooks`.
    """

    classes: dict[str, int]
    served: int
    truth: Path
    workbooks: tuple[Path, ...]
    rows: tuple[int, ...]


@dataclass(frozen=True)
class _Link:
    """A URL path of the drops and the truth about it; `photo` is None if there is no file."""

    path: str
    kind: Kind
    design: str
    photo: PhotoFile | None
    drop: int


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
    """Draw a sample data set; what exists already is kept and not drawn again.

    With more than one worker the processes are spawned: a script that calls this needs its `__main__` guard.

    Args:
        data_dir: the data directory.
        size: how much.
        base_url: where the served folder will be served, e.g. `http://127.0.0.1:8765`.
        seed: another seed draws other photos of the same designs.
        progress: called with (photos done, photos in all) as they are written.
        workers: processes that draw; None: the machine's cores, at most 8. The bytes do not depend on it.

    Raises:
        MeterError: the directory holds labelled photos that are not drawn ones.
        StorageError: the disk is full or not ours to write.
    """
    layout = Layout(data_dir)
    demo_dir = data_dir / "demo"
    _refuse_foreign(layout, demo_dir / "README.txt")
    write_text(demo_dir / "README.txt", _README)
    layout.prepare()
    if not (data_dir / SETTINGS_FILE).exists():
        write_text(data_dir / SETTINGS_FILE, _SETTINGS)
        (data_dir / SETTINGS_FILE).chmod(0o600)  # people add passwords

    labelled = list(_labelled(size, seed))
    links = list(_links(size, seed))
    photos = [*labelled, *(link.photo for link in links if link.photo)]
    draw_photo_files(data_dir, photos, workers=workers, progress=progress)

    _write_truth(demo_dir / "truth.csv", links)
    workbooks = (demo_dir / "workbooks" / NORTH_WORKBOOK, demo_dir / "workbooks" / EAST_WORKBOOK)
    rows = []
    for drop, (workbook, write) in enumerate(zip(workbooks, (write_north_workbook, write_east_workbook), strict=True)):
        rng = random.Random(f"workbook {seed} {drop}")
        column = _link_column(links, drop, size, base_url.rstrip("/"), rng)
        write(workbook, column, rng)
        rows.append(len(column))
    classes = Counter(photo.path.split("/")[1] for photo in labelled)
    _logger.info("Sample data: %d labelled photos of %d classes, %d served", len(labelled), len(classes), len(links))
    return SampleData(
        classes=dict(classes),
        served=len(photos) - len(labelled),
        truth=demo_dir / "truth.csv",
        workbooks=workbooks,
        rows=tuple(rows),
    )


def drop_workbook(workbook: Path, data_dir: Path, *, name: str | None = None) -> Path:
    """Copy a workbook into `<data_dir>/drops/`, whole or not at all.

    Args:
        workbook: the file to drop.
        data_dir: the data directory.
        name: the name it gets there; None: its own.

    Returns:
        Where it is now.
    """
    path = Layout(data_dir).drops / (name or workbook.name)
    write_bytes(path, workbook.read_bytes())
    return path


def _refuse_foreign(layout: Layout, marker: Path) -> None:
    if marker.exists() or not layout.raw.is_dir():
        return
    if any(path.is_file() for path in layout.raw.glob("*/*")):
        raise MeterError(
            "There are labelled photos here that are not drawn ones; sample photos would mix with them.",
            where=layout.raw,
            fix="Set METER_DATA_DIR to another folder for the demo, e.g. METER_DATA_DIR=demo-data.",
        )


def _digits(*parts: object) -> str:
    """Return 12 hex digits made from the parts: names of files, which thus tell nothing about the design."""
    return hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()[:12]


def _labelled(size: SampleSize, seed: int) -> Iterator[PhotoFile]:
    """Plan the labelled photos: ordinary ones, then second shots of bursts, then a second copy of a file."""
    for design, count in zip(known_designs(), size.labelled, strict=False):
        exact = 1 if count >= _EXACT_DUPLICATE_FROM else 0
        near = count // _PHOTOS_PER_NEAR_DUPLICATE
        ordinary = [
            Shot(design, f"{seed} labelled {design.name} {place}", "first") for place in range(count - near - exact)
        ]
        bursts = [Shot(shot.design, shot.meter, shot.view, burst=1) for shot in ordinary[:near]]
        for place, shot in enumerate([*ordinary, *bursts]):
            yield PhotoFile(
                f"raw/{design.name}/IMG_{_digits(seed, 'labelled', design.name, place, shot.burst)}.jpg", shot
            )
        if exact:
            yield PhotoFile(f"raw/{design.name}/IMG_{_digits(seed, 'again', design.name)}_copy.jpg", ordinary[-1])


def _links(size: SampleSize, seed: int) -> Iterator[_Link]:
    """Plan what the drops point to; the last unseen design appears in the second drop only."""
    known = known_designs()[: len(size.labelled)]
    unseen = unseen_designs()[: len(size.unseen)]

    def link(kind: Kind, place: int, design: Design | None, condition: Condition = "ordinary", drop: int = -1) -> _Link:
        which = place % 2 if drop < 0 else drop
        name = design.name if design else ""
        path = f"{_MONTHS[which]}/{_digits(seed, kind, name, place)}.jpg"
        shot = Shot(design, f"{seed} {kind} {name} {place}", "first", condition=condition)
        return _Link(f"/{path}", kind, name, PhotoFile(f"demo/served/{path}", shot), which)

    planned: list[_Link] = []
    for number, (design, count) in enumerate(zip(unseen, size.unseen, strict=True)):
        only_second = number == len(unseen) - 1 and number > 0
        planned += [link("unseen", place, design, drop=1 if only_second else -1) for place in range(count)]
    planned += [link("known", place, known[place * 5 % len(known)]) for place in range(size.known)]
    readable = len(planned)
    planned += [link("dark", place, known[place * 3 % len(known)], "dark") for place in range(size.dark)]
    planned += [link("blurred", place, known[place * 3 % len(known)], "blurred") for place in range(size.blurred)]
    planned += [link("junk", place, None) for place in range(size.junk)]
    yield from planned
    for place in range(size.duplicates):  # another URL, the same bytes
        original = planned[place * readable // size.duplicates]
        path = f"{_MONTHS[original.drop]}/{_digits(seed, 'same bytes', original.path)}.jpg"
        assert original.photo
        yield _Link(
            f"/{path}",
            original.kind,
            original.design,
            PhotoFile(f"demo/served/{path}", original.photo.shot),
            original.drop,
        )
    for place in range(size.corrupt):
        path = f"{_MONTHS[place % 2]}/{_digits(seed, 'corrupt', place)}.jpg"
        shot = Shot(known[place % len(known)], f"{seed} corrupt {place}", "first")
        yield _Link(
            f"/{path}", "corrupt", "", PhotoFile(f"demo/served/{path}", shot, "page" if place % 2 else "cut"), place % 2
        )
    for place in range(size.dead):
        yield _Link(f"/{_MONTHS[place % 2]}/{_digits(seed, 'dead', place)}.jpg", "dead", "", None, place % 2)


def _link_column(links: list[_Link], drop: int, size: SampleSize, base_url: str, rng: random.Random) -> list[str]:
    """Return a drop's URL column, shuffled: its links, some of them twice, and words instead of some."""
    column = [base_url + link.path for link in links if link.drop == drop]
    repeated = size.duplicates // 2 + (size.duplicates % 2 if drop == 0 else 0)
    column += column[:: max(1, len(column) // max(1, repeated))][:repeated]
    column += [_UNUSABLE_LINK] * size.unusable
    rng.shuffle(column)
    return column


def _write_truth(path: Path, links: list[_Link]) -> None:
    """Write the truth, keeping what an earlier, other sample wrote about paths that are not in this one."""
    rows = {link.path: (link.path, link.kind, link.design) for link in links}
    if path.exists():
        with path.open(encoding="utf-8", newline="") as handle:
            for row in csv.DictReader(handle):
                rows.setdefault(row["path"], (row["path"], row["kind"], row["design"]))  # type: ignore[arg-type]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(TRUTH_COLUMNS)
    writer.writerows(rows[key] for key in sorted(rows))
    write_text(path, buffer.getvalue())
