"""The photos: those of the store by their hash, those in data/raw by the inventory; and what people decided on them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.compute as pc

from meter_pipeline.dataset.damaged_files import DamagedFile, damaged_files, known_places
from meter_pipeline.errors import MeterError
from meter_pipeline.ingest.erased_rows import ErasedRows
from meter_pipeline.ingest.web.outcomes import Outcome
from meter_pipeline.labels import counted
from meter_pipeline.photos.store import image_id_of, stored_ids
from meter_pipeline.photos.whole_store import DamagedPhoto, damaged_photos
from meter_pipeline.review.reviewed_images import current_state, decision_problems
from meter_pipeline.storage.files import replacing, sha256_of
from meter_pipeline.storage.findings import Finding, Look, Mending
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.set_aside import set_aside
from meter_pipeline.storage.sound_rows import sound_rows
from meter_pipeline.storage.tables import DROP_ROWS, URL_IMAGES

STORE, RAW, DECISIONS = "photos", "labelled photos", "decisions"


def look_at_the_store(layout: Layout) -> Look:
    """Look at every photo that was fetched: its bytes have the hash that it is named by."""
    places, said = None, set()
    for photo in damaged_photos(layout.images):
        places = known_places(layout) if places is None else places
        said.add(photo.image_id)
        yield _of_the_store(layout, photo, places.get(photo.image_id))
    there = stored_ids(layout)
    lost = sorted(_fetched(layout) - there - said)
    if lost:
        what = f"{counted(len(lost), 'photo')} of url_images not in the store, {lost[0]} among them."
        does = "They are fetched again; of those whose server is gone, what was said stays."
        yield Finding(STORE, what, layout.images, mending=Mending(does, lambda: "", then="meter update"))
    return counted(len(there), "photo")


def _fetched(layout: Layout) -> set[str]:
    """Return the photos that should be in the store; those are left out that no update fetches.

    Their URLs are in no drop any more, or do not give them any more.
    """
    of_drops = sound_rows(layout.lake, DROP_ROWS).filter(pc.field("reason").is_null())
    wanted = set(of_drops["image_url"].to_pylist())
    rows = sound_rows(layout.lake, URL_IMAGES).select(["image_url", "image_id", "outcome", "reason"]).to_pylist()
    return {
        row["image_id"]
        for row in rows
        if row["outcome"] == Outcome.OK and row["reason"] is None and row["image_url"] in wanted
    }


def _of_the_store(layout: Layout, photo: DamagedPhoto, labelled: Path | None) -> Finding:
    if photo.may_pass:
        fix = (
            "It may be sound: nothing is done to it. Let it be readable (its rights, programs that hold it open, the"
            " disk), then run: meter verify. If it stays so, move it away, then run: meter update"
        )
        return Finding(STORE, f"The photo {photo.problem}.", photo.path, fix)

    def mend() -> str:
        kept = set_aside(layout, photo.path)
        if labelled is not None and labelled.is_file() and sha256_of(labelled) == photo.image_id:
            _copy(labelled, layout.image(photo.image_id))
            return f"{labelled} is the same photo: it was copied. The damaged one is {kept} now."
        return f"It is {kept} now."

    does = "It is put aside, then fetched again if its server still has it; what was said of it stays."
    return Finding(STORE, f"The photo {photo.problem}.", photo.path, mending=Mending(does, mend, then="meter update"))


def look_at_labelled_photos(layout: Layout) -> Look:
    """Look at every labelled photo that is used: it still holds what the inventory read."""
    looked = [0]
    for file in damaged_files(layout, on_look=lambda: looked.__setitem__(0, looked[0] + 1)):
        yield _labelled(layout, file)
    return counted(looked[0], "labelled photo")


def _labelled(layout: Layout, file: DamagedFile) -> Finding:
    stored = layout.image(file.image_id)
    fix = "Restore it from a backup, or delete it: the data set is then without it."
    if not stored.is_file() or image_id_of(stored.read_bytes()) != file.image_id:
        return Finding(RAW, f"A labelled photo {file.problem}.", file.path, fix)

    def mend() -> str:
        kept = set_aside(layout, file.path)
        _copy(stored, file.path)
        return f"The damaged one is {kept} now."

    does = "It is put aside, and the same photo is copied from data/images."
    return Finding(RAW, f"A labelled photo {file.problem}.", file.path, mending=Mending(does, mend))


def look_at_decisions(layout: Layout) -> Look:
    """Look at every decision file, whether the photos are here that it is about, and at the list of what was erased."""
    try:
        ErasedRows.read(layout)
    except MeterError as error:
        yield Finding(DECISIONS, error.what, layout.erased, error.fix)
    for problem in decision_problems(layout):
        yield Finding(DECISIONS, problem, layout.decisions)
    return counted(len(current_state(layout).order), "decision")


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
