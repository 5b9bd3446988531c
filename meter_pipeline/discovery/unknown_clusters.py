"""UNKNOWN photos into clusters with stable ids: from their embeddings in the lake to clusters, summary and events."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from meter_pipeline.discovery.clustering import Clustering, cluster
from meter_pipeline.discovery.continuity import match_clusters
from meter_pipeline.discovery.growth import keep_places
from meter_pipeline.discovery.map_page import map_positions
from meter_pipeline.discovery.measures import silhouette
from meter_pipeline.discovery.meter_likeness import learn_meters
from meter_pipeline.discovery.same_meter import hash_photos, same_meter_groups
from meter_pipeline.discovery.stability import stability
from meter_pipeline.discovery.summary import summarise
from meter_pipeline.errors import MeterError
from meter_pipeline.labels import NOISE
from meter_pipeline.recognition.model_card import list_models
from meter_pipeline.recognition.model_store import load_model
from meter_pipeline.recognition.scores import Known, normalised, side_by_side
from meter_pipeline.storage.files import read_json, write_json
from meter_pipeline.storage.lake import Lake, vectors
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import (
    CLUSTER_EVENTS,
    CLUSTER_SUMMARY,
    UNKNOWN_CLUSTERS,
    UNKNOWN_EMBEDDINGS,
    UNKNOWN_MAP,
    UNKNOWN_METADATA,
    VIEW_COLUMNS,
)

log = logging.getLogger(__name__)

METHOD_VERSION = "5"
"""Raised by hand when the clustering gives other clusters for the same embeddings: the next run clusters anew."""
WEAK_SILHOUETTE = 0.12
"""Photos of one design fall apart at 0.03 to 0.14, those of several designs at 0.14 to 0.34 (0004-clusters.md)."""
_BLOCK_ROWS = 10_000


@dataclass(frozen=True)
class Discovery:
    """What a clustering of the UNKNOWN photos came to, for the log and the UI.

    Attributes:
        photos: UNKNOWN photos.
        clusters: clusters now.
        noise: photos in none.
        revision: of `cluster_events`; one more than before where a cluster won or lost photos.
        changed: whether anything was computed.
        note: what a person should know; empty where nothing is special.
        parameters: of the clustering.
        metrics: label-free measures: silhouette (cosine, of the clusters as they are), DBCV (of the clustering just
            made; absent where they were there already), stability (mean AMI with clusterings of 80 % of the photos).
    """

    photos: int
    clusters: int
    noise: int
    revision: int
    changed: bool
    note: str = ""
    parameters: dict[str, str | int | float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


def cluster_unknowns(layout: Layout, *, min_cluster_size: int | None, seed: int, anew: bool = False) -> Discovery:
    """Cluster the UNKNOWN photos and write `unknown_clusters`, `cluster_summary`, `cluster_events` and `unknown_map`.

    Reads `unknown_embeddings` and `unknown_metadata`. Does nothing where these and the parameters are what the tables
    were made from (`changed` is False). Ended at any point and run again, it comes to the same tables. What was
    clustered before by the same model and parameters is kept as `keep_places` says.

    Args:
        layout: the data directory.
        min_cluster_size: smallest cluster; None: chosen by set size.
        seed: of the reduction.
        anew: cluster as if no photo had a cluster yet; ids are kept by their members all the same.

    Raises:
        MeterError: an embedding holds NaN or is all zeros, or the embeddings come from several models.
    """
    lake, state_path = layout.lake, layout.cache / "clustering.json"
    inputs = {
        "method": METHOD_VERSION,
        "min_cluster_size": min_cluster_size,
        "seed": seed,
        "embeddings": lake.version(UNKNOWN_EMBEDDINGS),
        "metadata": lake.version(UNKNOWN_METADATA),
    }
    state = read_json(state_path) if state_path.exists() else {}
    if not anew and state.get("inputs") == inputs and state.get("outputs") == _output_versions(lake):
        log.info("The UNKNOWN photos are the same as before: %d clusters stay.", state["result"]["clusters"])
        return Discovery(**{**state["result"], "changed": False})
    result = _cluster(layout, min_cluster_size, seed, anew)
    write_json(state_path, {"inputs": inputs, "outputs": _output_versions(lake), "result": asdict(result)})
    return result


def last_metrics(layout: Layout) -> dict[str, float]:
    """Return the metrics of the clusters that there are; empty where they are not known."""
    state_path = layout.cache / "clustering.json"
    state = read_json(state_path) if state_path.exists() else {}
    known = state.get("outputs") == _output_versions(layout.lake)
    return dict(state["result"]["metrics"]) if known else {}


def cluster_problems(unknown: pd.DataFrame, clusters: pd.DataFrame) -> list[str]:
    """Return what is wrong with the clusters: an UNKNOWN photo in none and not noise, one in two, one not UNKNOWN.

    Args:
        unknown: `unknown_embeddings`, column image_id.
        clusters: `unknown_clusters`, columns image_id and cluster_id.
    """
    wanted, found = set(unknown["image_id"]), set(clusters["image_id"])
    places = clusters.drop_duplicates(["image_id", "cluster_id"])["image_id"].value_counts()
    kinds = (
        ("UNKNOWN photos are in no cluster and not noise", wanted - found),
        ("photos in the clusters are not UNKNOWN", found - wanted),
        ("photos are in more than one cluster", set(places.index[places > 1])),
        ("photos have a cluster id below -1", set(clusters.loc[clusters["cluster_id"] < NOISE, "image_id"])),
    )
    return [f"{len(photos)} {what}, {min(photos)} among them" for what, photos in kinds if photos]


def _output_versions(lake: Lake) -> dict[str, str]:
    return {spec.name: lake.version(spec) for spec in (UNKNOWN_CLUSTERS, CLUSTER_SUMMARY, CLUSTER_EVENTS, UNKNOWN_MAP)}


def _cluster(layout: Layout, min_cluster_size: int | None, seed: int, anew: bool) -> Discovery:
    lake = layout.lake
    table = lake.read(UNKNOWN_EMBEDDINGS).sort_by("image_id")
    unit, views, image_ids = _compared(layout, table), _views(table), table["image_id"].to_pylist()
    model_version = table["model_version"][0].as_py() if image_ids else None
    found_with = f"{METHOD_VERSION} {model_version} {min_cluster_size or 'auto'} {seed}{' views' if views else ''}"
    stored, events = lake.frame(UNKNOWN_CLUSTERS), lake.frame(CLUSTER_EVENTS)
    revision = _finished_revision(stored, events)
    events = events[events["revision"] <= revision]

    found = Clustering(np.zeros(0, np.int64), np.zeros(0), {"method": "the clusters that were there"})
    places = lake.frame(UNKNOWN_MAP).sort_values("image_id", ignore_index=True)
    same_set = stored["image_id"].sort_values().to_list() == image_ids and (stored["found_with"] == found_with).all()
    if anew or not image_ids or not same_set:
        log.info("Clustering %d UNKNOWN photos", len(image_ids))
        before = stored.set_index("image_id").reindex(image_ids)
        hashes = _hashes(layout, before)
        # So few photos have views that each is compared with each, whatever the clusters (`LARGEST_COMPARED`).
        groups = same_meter_groups(image_ids, hashes, np.zeros(len(unit)), _groups(before)) if views else None
        found = cluster(
            unit,
            views=views,
            meters=None if groups is None else np.array(groups),
            min_cluster_size=min_cluster_size,
            seed=seed,
        )
        comparable = not anew and bool((stored["found_with"] == found_with).all())
        labels, settled = _labels(found, before) if comparable else (found.labels, np.ones(len(image_ids), bool))
        matched = match_clusters(
            stored[["image_id", "cluster_id"]],
            dict(zip(image_ids, labels.tolist(), strict=True)),
            next_id=int(events["cluster_id"].max()) + 1 if len(events) else 0,
        )
        if len(matched.events):
            revision += 1
            log.info("Changed clusters: %s", matched.events["event"].value_counts().sort_index().to_dict())
        events = pd.concat([events, matched.events.assign(revision=revision)], ignore_index=True)
        labels = matched.clusters["cluster_id"].to_numpy()
        groups = groups or same_meter_groups(image_ids, hashes, labels, _groups(before))
        stored = _rows(matched.clusters, before, found).assign(
            same_meter=groups,
            perceptual_hash=pd.Series(hashes, dtype="str"),
            settled=settled,
            found_with=found_with,
            revision=revision,
        )
        places = places.iloc[:0]
    # The clusters carry the revision and are written between the other tables: a run that ended before them left events
    # of a revision that they do not know, which are dropped; one that ended after them left what follows from them.
    lake.replace(CLUSTER_EVENTS, events)
    lake.replace(UNKNOWN_CLUSTERS, stored)
    clusters = stored.sort_values("image_id", ignore_index=True)
    meters = _look_like_meters(layout, table)
    lake.replace(CLUSTER_SUMMARY, summarise(clusters, unit, lake.frame(UNKNOWN_METADATA), meters))
    if places["image_id"].to_list() != image_ids:
        x, y = map_positions(unit, seed=seed).T
        places = pd.DataFrame({"image_id": image_ids, "x": x, "y": y})
    lake.replace(UNKNOWN_MAP, places)

    labels = clusters["cluster_id"].to_numpy(np.int64)
    metrics = {"DBCV": found.validity} if found.validity is not None else {}
    meters = clusters["same_meter"].to_numpy(str) if views else None
    steadiness = stability(unit, labels, views=views, meters=meters, min_cluster_size=min_cluster_size, seed=seed)
    metrics |= {"stability": steadiness} if steadiness is not None else {}
    count, noise = len(set(labels.tolist()) - {NOISE}), int((labels == NOISE).sum())
    separation = silhouette(unit, labels)
    notes = [found.note] if found.note else []
    if count > 1 and separation < WEAK_SILHOUETTE:
        notes.append("The clusters are hardly apart; several of them may show one design.")
    log.info("%d clusters, %d of %d photos are noise", count, noise, len(image_ids))
    return Discovery(
        photos=len(image_ids),
        clusters=count,
        noise=noise,
        revision=revision,
        changed=True,
        note=" ".join(notes),
        parameters=found.parameters,
        metrics={
            "silhouette": round(separation, 4),
            "share_in_clusters": round(1 - noise / len(image_ids), 4) if image_ids else 0.0,
            **{name: round(value, 4) for name, value in metrics.items()},
        },
    )


def _labels(found: Clustering, before: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Cluster of each photo and whether it is settled there, the clusters before being kept."""
    cluster_ids = before["cluster_id"].fillna(NOISE).to_numpy(np.int64)
    return keep_places(found.labels, cluster_ids, before["settled"].eq(True).to_numpy(bool))


def _hashes(layout: Layout, before: pd.DataFrame) -> list[str | None]:
    """Perceptual hashes of the photos that `before` has a row for, in its order."""
    known = [hash_ if isinstance(hash_, str) else None for hash_ in before["perceptual_hash"]]
    return hash_photos([layout.image(image_id) for image_id in before.index], known)


def _groups(before: pd.DataFrame) -> dict[str, str]:
    grouped = before[before["same_meter"].notna()]
    return dict(zip(map(str, grouped.index), grouped["same_meter"], strict=True))


def _rows(clusters: pd.DataFrame, before: pd.DataFrame, found: Clustering) -> pd.DataFrame:
    """`clusters` (image_id, cluster_id) with membership and cluster before."""
    labels = clusters["cluster_id"].to_numpy()
    # A photo that the new clustering calls noise but that stays where it was is as sure of it as it was.
    membership = np.where(found.labels == NOISE, before["membership"].fillna(0.0), found.membership)
    return clusters.assign(
        previous_cluster_id=before["cluster_id"].astype("Int64").to_numpy(),
        membership=np.where(labels == NOISE, 0.0, membership),
    )


def _look_like_meters(layout: Layout, table: pa.Table) -> np.ndarray | None:
    """Whether each photo looks like a meter, by the labelled photos of the model that embedded it."""
    if table.num_rows == 0 or table["model_version"][0].as_py() not in list_models(layout):
        return None
    known = load_model(layout, table["model_version"][0].as_py()).reference.known
    meters = learn_meters(known.pretrained, known.labels)
    return None if meters is None else meters.looks_like_a_meter(normalised(vectors(table, "pretrained_embedding")))


def compared(embedding: np.ndarray, pretrained: np.ndarray, known: Known | None) -> np.ndarray:
    """Return what clusters are found in: the tuned embedding, and both whitened by the known classes beside it.

    Args:
        embedding: after fine-tuning, photos x dimensions.
        pretrained: before fine-tuning, photos x dimensions.
        known: the model's train photos; None: they are not there any more, and the tuned embedding is taken alone.
    """
    gaussians = known.joint_gaussians if known is not None and len(embedding) else None
    if gaussians is None:
        return normalised(embedding)
    dimensions = embedding.shape[1]
    found = np.empty((len(embedding), dimensions + len(gaussians.components)), np.float32)
    for start in range(0, len(found), _BLOCK_ROWS):  # whitening is in double precision, and a million photos come
        rows = slice(start, start + _BLOCK_ROWS)
        found[rows, :dimensions] = normalised(embedding[rows])
        joint = side_by_side(found[rows, :dimensions], normalised(pretrained[rows]))
        found[rows, dimensions:] = gaussians.whitened(joint)
    return found


def _compared(layout: Layout, table: pa.Table) -> np.ndarray:
    models = sorted(set(table["model_version"].to_pylist()))
    if len(models) > 1:
        raise MeterError(
            f"The UNKNOWN embeddings come from {len(models)} models ({', '.join(map(str, models))}).",
            where=UNKNOWN_EMBEDDINGS.name,
            fix="Run batch_predictions and unknown_embeddings again, so that all are of the champion.",
        )
    known = load_model(layout, models[0]).reference.known if models and models[0] in list_models(layout) else None
    return compared(vectors(table, "embedding"), vectors(table, "pretrained_embedding"), known)


def _views(table: pa.Table) -> list[np.ndarray]:
    """Return the embeddings of the single views; none where a photo has none, as all are compared or none."""
    if not table.num_rows or not pc.all(table["single_views"].fill_null(False)).as_py():
        return []
    return [vectors(table, name) for name in VIEW_COLUMNS]


def _finished_revision(clusters: pd.DataFrame, events: pd.DataFrame) -> int:
    """Return the revision that the clusters table holds; a later one in the events was not finished."""
    if len(clusters):
        return int(clusters["revision"].max())
    if events.empty:
        return 0
    last = events.sort_values("revision").drop_duplicates("cluster_id", keep="last")
    newest = int(events["revision"].max())
    # No photo has a cluster: finished if every cluster is gone by then, else an end came before the table was written.
    return newest if (last["event"] == "gone").all() else newest - 1
