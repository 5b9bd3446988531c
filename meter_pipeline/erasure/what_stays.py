"""What an erasure leaves, and why: said before it and after it, so that nobody believes more is gone than is."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path

from meter_pipeline.erasure.look import Found
from meter_pipeline.erasure.target import Kind
from meter_pipeline.erasure.unused import unused
from meter_pipeline.ingest.drop_folder import listing
from meter_pipeline.labels import counted
from meter_pipeline.review.decisions import read_decisions
from meter_pipeline.storage.layout import Layout

_SHOWN = 5
_LENGTH_BYTES = 8
"""The header of a safetensors file is JSON, behind its length in so many bytes (little-endian)."""
_LARGEST_HEADER = 100_000_000
_REFERENCE, _HELD_OUT = "reference.safetensors", "held_out.parquet"


def what_stays(layout: Layout, found: Found) -> list[str]:
    """Return a sentence for each thing that still holds something of what goes, with what to do about it."""
    return [
        *_spreadsheets(layout, found),
        *_other_drops(found),
        *of_no_row(layout, found),
        *_by_hand(found),
        *_models(layout, found.photos),
        *_decisions(layout, found.photos),
        *_set_aside(layout),
        "Backups, copies that people made of exports and spreadsheets, and freed blocks of a disk are out of reach.",
    ]


def of_no_row(layout: Layout, found: Found) -> Iterator[str]:
    """Yield a sentence on photos that no row names and that stay, if there are any: whose they are, nothing tells."""
    left = unused(layout)
    others = left.photos - found.photos if found.target.kind != Kind.UNUSED else frozenset[str]()
    if others:
        yield (
            f"{counted(len(others), 'photo')} that no row names (the row left its sheet, or the URL gave another"
            " picture later) may be of it; nothing tells whose they are. `meter erase --unused` takes them all."
        )
    if left.decided:
        yield (
            f"{counted(left.decided, 'photo')} that no row names stay, as decisions that count are about them. To take"
            " them, take these back (meter review undo), and run `meter erase --unused`."
        )


def models_trained_on(layout: Layout, photos: Collection[str]) -> list[str]:
    """Return the versions of the models that were trained or measured on any of the photos, sorted."""
    folders = (folder for folder in sorted(layout.models.glob("*")) if (folder / "model.json").is_file())
    return [folder.name for folder in folders if photos and not _photos_of(folder).isdisjoint(photos)]


def _spreadsheets(layout: Layout, found: Found) -> Iterator[str]:
    if found.target.kind == Kind.DROP or not found.drops:
        return
    files = [file.shown for file in listing(layout.drops) if not file.problem]
    if files:
        yield (
            f"The spreadsheets in {layout.drops} stay as they are ({_some(files)}). Erased rows do not come back from"
            f" them ({layout.erased.name} sees to it), but stand in them still: delete the rows there, or the files."
        )


def _other_drops(found: Found) -> Iterator[str]:
    if found.shared:
        yield f"{counted(found.shared, 'photo')} that other drops need as well: kept, with what was made from them."


def _by_hand(found: Found) -> Iterator[str]:
    paths = sorted(path for paths in found.by_hand.values() for path in paths)
    if paths:
        yield (
            f"{counted(len(paths), 'file')} in data/raw that a person put there are the same photos ({_some(paths)}):"
            " delete them there, and train again."
        )


def _models(layout: Layout, photos: Collection[str]) -> Iterator[str]:
    versions = models_trained_on(layout, photos)
    if versions:
        yield (
            f"{counted(len(versions), 'model')} learned from these photos ({_some(versions)}): weights and reference"
            " embeddings hold traces of them. Train again (meter train), then delete the folders of these models in"
            " data/models."
        )


def _decisions(layout: Layout, photos: frozenset[str]) -> Iterator[str]:
    decisions = read_decisions(layout).decisions if photos else ()
    about = [each for each in decisions if not photos.isdisjoint((*each.image_ids, *each.group))]
    if about:
        yield (
            f"{counted(len(about), 'decision file')} in {layout.decisions} name the photos by their ids (SHA-256 of the"
            " bytes), with the class and who decided. They are never changed; what people decided on the erased photos"
            " counts no more."
        )


def _set_aside(layout: Layout) -> Iterator[str]:
    files = sum(path.is_file() for path in layout.set_aside.rglob("*")) if layout.set_aside.is_dir() else 0
    if files:
        yield (
            f"{counted(files, 'damaged file')} in {layout.set_aside} cannot be looked through, photos apart: delete the"
            " folder when nobody needs it."
        )


def _photos_of(folder: Path) -> set[str]:
    """Return the photos that a model knows by id, as far as its files can be read."""
    found = _ids_in_header(folder / _REFERENCE)
    if (folder / _HELD_OUT).is_file():
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            names = pq.read_schema(folder / _HELD_OUT).names
            if "image_id" in names:
                found |= set(pq.read_table(folder / _HELD_OUT, columns=["image_id"])["image_id"].to_pylist())
        except (OSError, pa.ArrowException):
            pass  # a damaged model is said by `meter verify`
    return found


def _ids_in_header(path: Path) -> set[str]:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            header = json.loads(file.read(length)) if length <= _LARGEST_HEADER else {}
        return set(json.loads(header["__metadata__"]["image_ids"]))
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _some(names: Collection[str]) -> str:
    shown = ", ".join(sorted(names)[:_SHOWN])
    return f"{shown}, ..." if len(names) > _SHOWN else shown
