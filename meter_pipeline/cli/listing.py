"""What `meter review list` and `show` print: what waits for a person, and what is known of a cluster or a photo."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pyarrow.compute as pc

from meter_pipeline.cli.terminal import say, say_json, say_table
from meter_pipeline.errors import MeterError
from meter_pipeline.labels import NOISE, Action, counted
from meter_pipeline.review.decisions import Decision
from meter_pipeline.review.overview import Overview
from meter_pipeline.review.selection import SHOWN_ID, PhotoFinder, cluster_number, photo_files, shown_url
from meter_pipeline.review.state import State, Word
from meter_pipeline.storage.layout import Layout, cluster_folder_name
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, UNKNOWN_METADATA

SHOWN_PHOTOS = 20
"""Ids that a line or a decision spells out before it counts the rest."""


def print_overview(overview: Overview, *, as_json: bool) -> None:
    """Print what waits for a person."""
    if as_json:
        say_json(asdict(overview))
        return
    rows = [
        (
            "noise" if cluster.cluster_id == NOISE else cluster.cluster_id,
            cluster.photos,
            cluster.meters,
            _percent(cluster.sureness),
            cluster.top1_class,
            cluster.folder,
        )
        for cluster in overview.clusters
    ]
    if rows:
        say_table("Undecided clusters", ("cluster", "photos", "meters", "sureness", "first guess", "folder"), rows)
    if overview.disputed:
        disputed = [(i.image_id[:SHOWN_ID], i.label, i.by, ", ".join(i.other_labels)) for i in overview.disputed]
        say_table("Disputed photos", ("photo", "last named", "by", "others say"), disputed)
    if overview.waiting:
        waiting = [(c.label, c.photos, f"{c.meters} of {c.needed} meters") for c in overview.waiting]
        say_table("Classes that wait until they are large enough to be learned", ("class", "photos", "has"), waiting)
    say(
        f"{counted(overview.undecided, 'photo')} undecided in the clusters and in noise. "
        f"Decided: {overview.named:,} named, {overview.junk:,} junk; {len(overview.disputed):,} disputed."
    )
    if overview.not_clustered:
        say(f"{counted(overview.not_clustered, 'UNKNOWN photo')} not clustered yet: meter update")
    if overview.problems:
        say(f"{counted(len(overview.problems), 'decision')} cannot be read or applied: meter doctor")


def print_what(layout: Layout, what: str, *, as_json: bool) -> None:
    """Print a cluster's photos, what is known of a photo, or a decision.

    Raises:
        MeterError: it is none of these.
    """
    finder = PhotoFinder(layout)
    decision = next((each for each in finder.state.order if each.decision_id == what.strip()), None)
    cluster_id = cluster_number(what.strip())
    if decision is not None:
        content = decision_content(decision, finder.state)
        say_json(content) if as_json else _print_decision(content)
    elif cluster_id is not None:
        _print_cluster(cluster_rows(finder, cluster_id), cluster_id, as_json=as_json)
    else:
        image_ids = finder.select(what, whole_clusters=True).image_ids
        if len(image_ids) > 1:
            raise MeterError("These are several photos.", where=what, fix="Show a cluster by its number, or one photo.")
        content = photo_content(finder, image_ids[0])
        say_json(content) if as_json else _print_photo(content)


def cluster_rows(finder: PhotoFinder, cluster_id: int) -> list[dict[str, Any]]:
    """Return one row per photo of a cluster, the surest first: id, URL, guess, file, and what was decided.

    Raises:
        MeterError: there is no such cluster.
    """
    layout, image_ids = finder.layout, finder.select(str(cluster_id), whole_clusters=True).image_ids
    metadata = layout.lake.frame(UNKNOWN_METADATA, ["image_id", "image_url", "top1_class", "top1_confidence"])
    known = {str(row["image_id"]): row for row in metadata.to_dict("records")}
    folder = layout.clusters / cluster_folder_name(cluster_id)
    files = {finder.by_name(path.name): path.relative_to(layout.root).as_posix() for path in photo_files(folder)}
    rows = []
    for image_id in image_ids:
        row = known.get(image_id, {})
        url, guess = row.get("image_url"), row.get("top1_class")
        rows.append(
            {
                "image_id": image_id,
                "image_url": shown_url(url) if isinstance(url, str) else None,
                "top1_class": guess if isinstance(guess, str) else None,
                "top1_confidence": row["top1_confidence"] if isinstance(guess, str) else None,
                "file": files.get(image_id),
                "word": _word(finder.state.words.get(image_id)),
                "decided": finder.is_decided(image_id),
            }
        )
    return rows


def photo_content(finder: PhotoFinder, image_id: str) -> dict[str, Any]:
    """Return what is known of a photo: decisions in the order in which they count, predictions, cluster, file."""
    state, layout = finder.state, finder.layout
    word = state.words.get(image_id)
    rows = layout.lake.frame(BATCH_PREDICTIONS, where=pc.field("image_id") == image_id)
    columns = ["drop", "row_number", "image_url", "final_prediction", "top1_class", "top1_confidence", "reason"]
    predictions = rows.sort_values(["drop", "position"])[columns].to_dict("records")
    return {
        "image_id": image_id,
        "file": str(layout.image(image_id)) if layout.image(image_id).is_file() else None,
        "word": _word(word),
        "disputed_labels": list(word.disputed_labels) if word else [],
        "not_labels": list(word.not_labels) if word else [],
        "cluster_id": finder.cluster_of(image_id),
        "predictions": [{**row, "image_url": shown_url(str(row["image_url"]))} for row in predictions],
        "decisions": [
            decision_content(decision, state) for decision in state.order if image_id in {*decision.image_ids}
        ],
    }


def decision_content(decision: Decision, state: State) -> dict[str, Any]:
    """Return a decision with whether it counts, and by which undo it was taken back."""
    return {
        **asdict(decision),
        "at": decision.at.isoformat(timespec="seconds"),
        "live": decision.decision_id in state.live,
        "undone_by": [
            undo.decision_id
            for undo in state.order
            if undo.undoes == decision.decision_id and undo.decision_id in state.live
        ],
    }


def sentence_of(decision: Decision) -> str:
    """Return a decision in words: what, of how many photos, by whom, when."""
    target = f" {decision.target}" if decision.action == Action.NAME else ""
    of = f" of {decision.undoes}" if decision.undoes else f" of {counted(len(decision.image_ids), 'photo')}"
    by = f", by {decision.by}" if decision.by else ""
    return f"{decision.action}{target}{of}{by}, {decision.at:%Y-%m-%d %H:%M} UTC"


def ids_text(image_ids: tuple[str, ...] | list[str]) -> str:
    """Return the starts of ids, as many as fit a line, and the number of the rest."""
    more = len(image_ids) - SHOWN_PHOTOS
    shown = ", ".join(image_id[:SHOWN_ID] for image_id in image_ids[:SHOWN_PHOTOS])
    return f"{shown} and {more:,} more" if more > 0 else shown


def _print_cluster(rows: list[dict[str, Any]], cluster_id: int, *, as_json: bool) -> None:
    if as_json:
        say_json({"cluster_id": cluster_id, "photos": rows})
        return
    name = "Noise" if cluster_id == NOISE else f"Cluster {cluster_id}"
    say(f"{name}: {counted(len(rows), 'photo')}, {sum(not row['decided'] for row in rows):,} undecided.")
    for row in rows:
        guess = f"{row['top1_class']} {_percent(row['top1_confidence'])}" if row["top1_class"] else "no guess"
        parts = [row["image_id"][:SHOWN_ID], row["word"] or "undecided", guess, row["file"], row["image_url"]]
        say("  ".join(part for part in parts if part))


def _print_photo(content: dict[str, Any]) -> None:
    say(f"Photo {content['image_id']}")
    say(f"  file: {content['file'] or 'not in the store'}")
    say(f"  word: {content['word'] or 'nobody has decided on it'}")
    for name, words in (("disputed_labels", "others named it"), ("not_labels", "it is not")):
        if content[name]:
            say(f"  {words}: {', '.join(content[name])}")
    number = content["cluster_id"]
    place = "none" if number is None else "noise" if number == NOISE else str(number)
    say(f"  cluster: {place}")
    for row in content["predictions"]:
        guess = f"{row['top1_class']} {_percent(row['top1_confidence'])}" if row["top1_class"] else "no guess"
        say(f"  {row['drop']}, row {row['row_number']}: {row['final_prediction']} ({guess})  {row['image_url']}")
    for decision in content["decisions"]:
        say(f"  {_decision_line(decision)}")


def _print_decision(content: dict[str, Any]) -> None:
    say(_decision_line(content))
    if content["image_ids"]:
        say(f"  photos: {ids_text(list(content['image_ids']))}")
    if content["action"] == Action.EXCLUDE and content["target"]:
        say(f"  not in a group with: {ids_text(list(content['target']))}")
    seen = content["seen"]
    for name in ("cluster_id", "revision", "model_version"):
        if seen[name] is not None:
            say(f"  seen {name.replace('_', ' ')}: {seen[name]}")
    if content["source"]:
        say(f"  source: {content['source']}")


def _decision_line(content: dict[str, Any]) -> str:
    counts = "counts" if content["live"] else "does not count"
    undone = f", undone by {', '.join(content['undone_by'])}" if content["undone_by"] else ""
    target = f" {content['target']}" if content["action"] == Action.NAME else ""
    undoes = f" of {content['undoes']}" if content["undoes"] else ""
    by = f" by {content['by']}" if content["by"] else ""
    return f"{content['decision_id']}  {content['at']}  {content['action']}{target}{undoes}{by} ({counts}{undone})"


def _word(word: Word | None) -> str | None:
    """Return the live word on a photo; None if there is none."""
    if word is None:
        return None
    said = f"named {word.label}" if word.label is not None else word.decision.action.value
    return f"{said} by {word.decision.by}" if word.decision.by else said


def _percent(share: float | None) -> str:
    return "" if share is None or share != share else f"{share:.0%}"  # noqa: PLR0124
