"""The tables: every byte of every shard, and what makes rows again that had to be left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from meter_pipeline.dataset.salvaged_split import restore_split
from meter_pipeline.discovery.salvaged_clusters import restore_clusters
from meter_pipeline.ingest.salvaged_rows import restore_rows
from meter_pipeline.ingest.salvaged_urls import restore_urls
from meter_pipeline.labels import counted
from meter_pipeline.review.salvaged_promotions import restore_promotions
from meter_pipeline.storage.damage import FIX_OF_UNREAD, Damage
from meter_pipeline.storage.findings import Finding, Look, Mending
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.manifests import MANIFEST, MANIFEST_COPY
from meter_pipeline.storage.set_aside import set_aside
from meter_pipeline.storage.tables import ALL_TABLES, TableSpec

PART = "tables"
UPDATE, TRAIN = "meter update", "meter train"


@dataclass(frozen=True)
class _Remaking:
    """How the rows of a table come back that were left out.

    Attributes:
        by: the command.
        how: what it does, after "then".
        salvage: makes lost rows again from what else knows them, and returns how many; None: nothing else does.
    """

    by: str
    how: str
    salvage: Callable[[Layout], int] | None = None


_REMAKING = {
    "image_inventory": _Remaking(TRAIN, "the labelled photos are examined again"),
    "dataset_split": _Remaking(
        TRAIN, "the photos are split again, each where it was as far as known_embeddings say it", restore_split
    ),
    "evaluation_audit": _Remaking(
        TRAIN, "the models in question are asked again (answers of older models are not made again)"
    ),
    "labelled_features": _Remaking(TRAIN, "features that are missing are computed when they are needed"),
    "known_embeddings": _Remaking(TRAIN, "the labelled photos are put through the model in use"),
    "drops": _Remaking(UPDATE, "the spreadsheets in data/drops are read again"),
    "drop_rows": _Remaking(
        UPDATE,
        "the spreadsheets are read again (rows of files that are not in data/drops any more are made from the"
        " predictions, without the sheet's other columns; their exports, which have these, are put aside)",
        restore_rows,
    ),
    "url_images": _Remaking(UPDATE, "URLs are fetched again that neither photo nor prediction remembers", restore_urls),
    "image_features": _Remaking(UPDATE, "the photos are put through the network again"),
    "batch_predictions": _Remaking(UPDATE, "all rows are decided again from features that are kept"),
    "unknown_embeddings": _Remaking(UPDATE, "they are collected again from features that are kept"),
    "unknown_metadata": _Remaking(UPDATE, "it is collected again from the predictions"),
    "unknown_clusters": _Remaking(
        UPDATE, "the UNKNOWN photos are clustered again; clusters keep the numbers of their folders", restore_clusters
    ),
    "unknown_looks": _Remaking(UPDATE, "they are computed again"),
    "cluster_summary": _Remaking(UPDATE, "it is computed again"),
    "cluster_events": _Remaking(
        UPDATE,
        "events are noted from now on; those of before are lost, and a new cluster may get the number of one that was"
        " gone by then",
    ),
    "unknown_map": _Remaking(UPDATE, "the map is laid out again"),
    "reviewed_images": _Remaking(UPDATE, "it is made again from the decisions"),
    "review_constraints": _Remaking(UPDATE, "it is made again from the decisions"),
    "promoted_images": _Remaking(UPDATE, "it is made again from the decisions and data/raw", restore_promotions),
}


def look_at_tables(layout: Layout) -> Look:
    """Look at every table, every byte read anew."""
    rows = 0
    for spec in ALL_TABLES:
        found = layout.lake.damage(spec)
        may_pass = any(damage.may_pass for damage in found)
        for number, damage in enumerate(found):
            if may_pass:
                yield _unread(damage)
            else:  # one call mends the whole table
                yield _finding(layout, spec, damage, mends=number == 0, alone=len(found) == 1)
        rows += 0 if found and layout.lake.damage(spec) else layout.lake.count(spec)
    return f"{counted(len(ALL_TABLES), 'table')} with {rows:,} rows"


def _unread(damage: Damage) -> Finding:
    """Return the finding of a table of which a file could not be read now: what is sound must not be left out."""
    what = f"A file of the table {damage.table} {damage.problem}."
    first = "It is mended once the table's other files can be read."
    return Finding(PART, what, damage.path, FIX_OF_UNREAD if damage.may_pass else first)


def _finding(layout: Layout, spec: TableSpec, damage: Damage, *, mends: bool, alone: bool) -> Finding:
    what = f"A file of the table {damage.table} {damage.problem}."
    if damage.path.name in (MANIFEST, MANIFEST_COPY) and alone:
        does = "The manifest is written again from its second copy; no row is lost."
        mending = Mending(does, lambda: _mend(layout, spec))
    else:
        remaking = _REMAKING[spec.name]
        does = f"It is left out (what is there of it is put aside), then {remaking.how}."
        mending = Mending(does, lambda: _mend(layout, spec), then=remaking.by)
    if not mends:
        mending = Mending(mending.does, lambda: "", then=mending.then)
    return Finding(PART, what, damage.path, mending=mending)


def _mend(layout: Layout, spec: TableSpec) -> str:
    """Leave what is damaged out of a table, and put in its place what is known of it elsewhere."""
    salvage = _REMAKING[spec.name].salvage
    found = layout.lake.damage(spec)
    rows_are_lost = len(found) > 1 or any(each.path.name not in (MANIFEST, MANIFEST_COPY) for each in found)
    # First: writing the table anew removes what is no part of it. A shard that was moved is still found missing.
    kept = layout.lake.put_damage_aside(spec, lambda path: set_aside(layout, path))
    restored = salvage(layout) if salvage is not None and rows_are_lost else 0
    layout.lake.drop_damage(spec)
    said = f"{restored:,} lost rows were known elsewhere." if restored else ""
    return " ".join(filter(None, [said, f"{kept[0].name} is in {kept[0].parent} now." if kept else ""]))
