"""What people open: exports, cluster folders, the warehouse; and the notes on what was written last."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import duckdb

from meter_pipeline.batches.prediction_exports import MANIFEST as EXPORTS_NOTE
from meter_pipeline.batches.prediction_exports import export_problems
from meter_pipeline.discovery.cluster_folders import folder_problems
from meter_pipeline.discovery.folder_manifest import (
    SHEET_KIND,
    manifest_or_found,
    manifest_path,
    manifest_problem,
    read_manifest,
    write_manifest,
)
from meter_pipeline.errors import MeterError
from meter_pipeline.labels import counted
from meter_pipeline.photos.decoding import PhotoError
from meter_pipeline.photos.metadata_stripping import without_metadata
from meter_pipeline.photos.thumbnails import END_OF_JPEG
from meter_pipeline.storage.findings import Finding, Look, Mending
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.notes import note_problem
from meter_pipeline.storage.set_aside import set_aside
from meter_pipeline.storage.sound_rows import sound_rows
from meter_pipeline.storage.tables import DROPS

EXPORTS, FOLDERS, WAREHOUSE, NOTES = "exports", "cluster folders", "warehouse", "notes"
UPDATE = "meter update"
_FOLDER_IN_THE_WAY = "Move the folder away, then run: meter update"


def look_at_exports(layout: Layout) -> Look:
    """Look at the files of each drop that has exports: there, and not cut."""
    folder = layout.batch_reports
    note = folder / EXPORTS_NOTE
    if problem := note_problem(note):
        yield _noted(note, problem, "Without it all exports are written again.")
    for path, problem in export_problems(folder):
        yield _export(layout, path, problem)
    drops = sound_rows(layout.lake, DROPS)["drop"].to_pylist()
    for path in [folder / f"{drop}{ending}" for drop in sorted(drops) for ending in (".csv", ".xlsx")]:
        if note_problem(note) is not None and path.exists() and (path.is_dir() or _unreadable(path)):
            yield _export(layout, path, "")
    return f"exports of {counted(len(drops), 'drop')}"


def _export(layout: Layout, path: Path, problem: str) -> Finding:
    if path.is_dir():
        return Finding(EXPORTS, "A folder is in the place of an export.", path, _FOLDER_IN_THE_WAY)
    if not path.exists():
        return Finding(EXPORTS, f"An export {problem}.", path, mending=_again("It is written again."))
    if unreadable := _unreadable(path):
        return Finding(EXPORTS, f"An export {unreadable}.", path, mending=_put_aside(layout, path))
    fix = f"Keep it if a person changed it; otherwise delete it, then run: {UPDATE}"
    return Finding(EXPORTS, f"An export {problem}.", path, fix)


def look_at_cluster_folders(layout: Layout) -> Look:
    """Look at the files in the cluster folders that are ours: there, in their place, and not cut."""
    note = manifest_path(layout)
    if problem := manifest_problem(layout):

        def find_again() -> str:
            if note.is_dir():
                raise MeterError("A folder is in its place.", where=note, fix=_FOLDER_IN_THE_WAY)
            found = manifest_or_found(layout)
            write_manifest(layout, found)
            return f"{counted(len(found), 'file')} found to be ours."

        does = "Which files in the folders are ours is found again by their names and bytes."
        yield Finding(FOLDERS, f"The note on them {problem}.", note, mending=Mending(does, find_again, then=UPDATE))
    manifest = read_manifest(layout) if note_problem(note) is None else {}
    for path, owner in sorted(manifest.items()):
        file = layout.clusters / path
        if file.is_file() and (problem := _picture_problem(layout, file, owner)):
            yield Finding(FOLDERS, f"A picture {problem}.", file, mending=_put_aside(layout, file))
    for problem in folder_problems(layout) if manifest else []:
        yield Finding(FOLDERS, f"{problem}.", layout.clusters, f"Run: {UPDATE}", _again("They are put right."))
    return f"{counted(len(manifest), 'file')} in cluster folders"


def look_at_the_warehouse(layout: Layout) -> Look:
    """Look whether DuckDB can open the warehouse."""
    path = layout.warehouse
    if path.is_dir():
        yield Finding(WAREHOUSE, "A folder is in the place of the warehouse.", path, _FOLDER_IN_THE_WAY)
    elif path.exists():
        try:
            with duckdb.connect(path, read_only=True) as connection:
                connection.execute("SELECT count(*) FROM duckdb_views()").fetchone()
        except duckdb.Error as error:
            said = str(error).splitlines()[0].rstrip(".")
            if "lock" not in said.lower():  # open in another program: then it is not damaged
                yield Finding(
                    WAREHOUSE, f"The warehouse cannot be opened: {said}.", path, mending=_put_aside(layout, path)
                )
    return "the warehouse"


def look_at_notes(layout: Layout) -> Look:
    """Look at what is kept to save work: it can be deleted, never trusted if damaged."""
    if problem := note_problem(layout.clustering_state):
        yield _noted(layout.clustering_state, problem, "The clusters are then compared with the photos again.")
    kept = sorted(layout.thumbnails.rglob("*.jpg"))
    for path in kept:
        if not path.read_bytes().endswith(END_OF_JPEG):
            yield Finding(
                NOTES, "A thumbnail is cut.", path, mending=_removed(path, "It is made again when it is shown.")
            )
    return "what is kept to save work"


def _noted(note: Path, problem: str, without: str) -> Finding:
    if note.is_dir():
        return Finding(NOTES, "A folder is in the place of a note.", note, _FOLDER_IN_THE_WAY)
    return Finding(NOTES, f"The note on what was done last {problem}.", note, mending=_removed(note, without, UPDATE))


def _again(does: str) -> Mending:
    return Mending(does, lambda: "", then=UPDATE)


def _removed(path: Path, does: str, then: str = "") -> Mending:
    def remove() -> str:
        path.unlink(missing_ok=True)
        return ""

    return Mending(f"It is removed. {does}", remove, then=then)


def _put_aside(layout: Layout, path: Path) -> Mending:
    return Mending("It is put aside, then written again.", lambda: f"It is {set_aside(layout, path)} now.", then=UPDATE)


def _unreadable(path: Path) -> str | None:
    """Return why nobody can open an export, as the end of a sentence; None if it can be opened."""
    if path.suffix == ".csv":
        content = path.read_bytes()
        return "is empty" if not content else "is not text" if b"\0" in content else None
    try:
        with zipfile.ZipFile(path) as workbook:
            damaged = workbook.testzip()
    except (OSError, zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError) as error:
        return f"cannot be opened ({type(error).__name__})"
    return f"is damaged ({damaged} in it)" if damaged else None


def _picture_problem(layout: Layout, file: Path, owner: str) -> str | None:
    """Return what is wrong with a picture of ours, as the end of a sentence."""
    content = file.read_bytes()
    if not content.endswith(END_OF_JPEG):
        return "is cut"
    if owner.startswith(SHEET_KIND):
        return None
    try:
        return None if without_metadata(layout.image(owner)) == content else "is not the photo that it should be"
    except PhotoError:  # of the store; it is said there
        return None
