"""UNKNOWN photos into clusters with stable ids: from their embeddings in the lake to clusters, summary and events."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from meter_pipeline.discovery.given_constraints import GivenConstraints, Said, said_of, said_otherwise
from meter_pipeline.discovery.grouping.clustering import Parameters
from meter_pipeline.discovery.grouping.comparison import compared
from meter_pipeline.discovery.grouping.measures import silhouette, stability
from meter_pipeline.discovery.meter_likeness import learn_meters
from meter_pipeline.discovery.plan import METHOD_VERSION, Method, Plan, Tables, UnknownPhotos, plan_tables
from meter_pipeline.discovery.same_meter import hash_photos
from meter_pipeline.errors import MeterError
from meter_pipeline.labels import NOISE
from meter_pipeline.recognition.embeddings import normalised
from meter_pipeline.recognition.image_features import printed_codes
from meter_pipeline.recognition.model_card import list_models
from meter_pipeline.recognition.model_store import load_model
from meter_pipeline.recognition.scores import Known
from meter_pipeline.settings import ClusterSettings
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.notes import read_note, write_note
from meter_pipeline.storage.table_rows import vector_column, vectors
from meter_pipeline.storage.tables import (
    CLUSTER_EVENTS,
    CLUSTER_SUMMARY,
    REVIEW_CONSTRAINTS,
    UNKNOWN_CLUSTERS,
    UNKNOWN_EMBEDDINGS,
    UNKNOWN_LOOKS,
    UNKNOWN_METADATA,
)

_logger = logging.getLogger(__name__)

WEAK_SILHOUETTE = 0.12
"""Photos of one design fall apart at 0.03 to 0.14, those of several designs at 0.14 to 0.34 (0004-clusters.md)."""


@dataclass(frozen=True)
class Discovery:
    """The result of a clustering of the UNKNOWN photos, for the log and the UI.

    Attributes:
        photos: UNKNOWN photos.
        clusters: clusters now.
        noise: photos in no cluster.
        revision: of `cluster_events`; one more than before where a cluster won or lost photos.
        changed: whether anything was computed.
        note: what a person should know; empty where nothing is special.
        parameters: of the clustering.
        metrics: measures that need no truth: silhouette (cosine), the share of photos in clusters, stability (mean AMI
            with clusterings of 80 % of the photos).
    """

    photos: int
    clusters: int
    noise: int
    revision: int
    changed: bool
    note: str = ""
    parameters: Parameters = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class EmbeddedPhotos:
    """The UNKNOWN photos as one model embedded them, by image_id.

    Attributes:
        table: rows of `unknown_embeddings`.
        model_version: the model; None if there are no photos.
        known: the model's train photos; None: they are not there any more.
    """

    table: pa.Table
    model_version: str | None
    known: Known | None

    @property
    def image_ids(self) -> list[str]:
        """The photos."""
        return self.table["image_id"].to_pylist()

    def compared(self) -> np.ndarray:
        """Return what they are compared by, photos x dimensions."""
        tuned, pretrained = vectors(self.table, "embedding"), vectors(self.table, "pretrained_embedding")
        return compared(tuned, pretrained, self.known, printed_codes(self.table))


def read_embedded(layout: Layout) -> EmbeddedPhotos:
    """Read the embeddings of the UNKNOWN photos, and what their model was trained on.

    Raises:
        MeterError: the embeddings come from several models.
    """
    table = layout.lake.read(UNKNOWN_EMBEDDINGS).sort_by("image_id")
    models = sorted(set(table["model_version"].to_pylist()))
    if len(models) > 1:
        raise MeterError(
            f"The UNKNOWN embeddings come from {len(models)} models ({', '.join(map(str, models))}).",
            where=UNKNOWN_EMBEDDINGS.name,
            fix="Run batch_predictions and unknown_embeddings again, so that all are of the champion.",
        )
    known = load_model(layout, models[0]).reference.known if models and models[0] in list_models(layout) else None
    return EmbeddedPhotos(table, models[0] if models else None, known)


def cluster_unknowns(layout: Layout, settings: ClusterSettings | None = None, *, anew: bool = False) -> Discovery:
    """Cluster the UNKNOWN photos; write `unknown_clusters`, `unknown_looks`, `cluster_summary` and `cluster_events`.

    Reads `unknown_embeddings`, `unknown_metadata` and `review_constraints`. Does nothing where these and the parameters
    are what the tables were made from (`changed` is False). Ended at any point and run again, it produces the same
    tables. What was clustered before by the same model and parameters is kept as `continuity.keep_places` says.

    Args:
        layout: the data directory.
        settings: the smallest cluster; the default if None.
        anew: cluster as if no photo had a cluster yet; ids are kept by their members all the same.

    Raises:
        MeterError: an embedding holds NaN or is all zeros, or the embeddings come from several models.
    """
    lake, settings = layout.lake, settings or ClusterSettings()
    inputs = {
        "method": METHOD_VERSION,
        **settings.model_dump(),
        "embeddings": lake.version(UNKNOWN_EMBEDDINGS),
        "metadata": lake.version(UNKNOWN_METADATA),
        "constraints": lake.version(REVIEW_CONSTRAINTS),
    }
    state = _state(layout)
    if not anew and state.get("inputs") == inputs and state.get("outputs") == _output_versions(lake):
        _logger.info("The UNKNOWN photos are the same as before: %d clusters stay.", state["result"]["clusters"])
        return Discovery(**{**state["result"], "changed": False})
    method = Method(settings.min_cluster_size)
    stored, constraints = _stored(lake), lake.frame(REVIEW_CONSTRAINTS)
    photos = _read_photos(layout, stored, constraints, _said_before(lake, state))
    plan = plan_tables(photos, stored, method, anew=anew)
    columns = {"image_id": pa.array(photos.image_ids, pa.string()), "look": vector_column(photos.compared)}
    lake.replace(UNKNOWN_LOOKS, pa.table(columns))
    _commit(lake, plan)
    result = _described(photos, plan, method)
    said = said_of(constraints)
    said_here = {image_id: said[image_id] for image_id in photos.image_ids if image_id in said}
    outputs = {"outputs": _output_versions(lake), "result": asdict(result), "said": said_here}
    write_note(layout.clustering_state, {"inputs": inputs, **outputs})
    return result


def last_metrics(layout: Layout) -> dict[str, float]:
    """Return the metrics of the clusters that there are; empty where they are not known."""
    state = _state(layout)
    known = state.get("outputs") == _output_versions(layout.lake)
    return dict(state["result"]["metrics"]) if known else {}


def _state(layout: Layout) -> dict[str, Any]:
    """Return what the clusters were made from; empty where it is not known: then they are looked at again."""
    return read_note(layout.clustering_state, what_follows="The clusters are compared with the photos again.")


def cluster_problems(unknown: pd.DataFrame, clusters: pd.DataFrame, constraints: pd.DataFrame) -> list[str]:
    """Return what is wrong with the clusters: an UNKNOWN photo in no cluster, one in two, one that is not UNKNOWN.

    Also where they do not hold to what people said belongs together, and what does not.

    Args:
        unknown: `unknown_embeddings`, column image_id.
        clusters: `unknown_clusters`, columns image_id and cluster_id.
        constraints: `review_constraints`.
    """
    wanted, found = set(unknown["image_id"]), set(clusters["image_id"])
    places = clusters.drop_duplicates(["image_id", "cluster_id"])["image_id"].value_counts()
    labels = clusters["cluster_id"].to_numpy(np.int64)
    held = GivenConstraints.among(clusters["image_id"].tolist(), constraints).hold(labels)
    kinds = (
        ("UNKNOWN photos are in no cluster and not noise", wanted - found),
        ("photos in the clusters are not UNKNOWN", found - wanted),
        ("photos are in more than one cluster", set(places.index[places > 1])),
        ("photos have a cluster id below -1", set(clusters.loc[labels < NOISE, "image_id"])),
        ("photos are not where people said", set(clusters.loc[held != labels, "image_id"])),
    )
    return [f"{len(photos)} {what}, {min(photos)} among them" for what, photos in kinds if photos]


def _said_before(lake: Lake, state: dict) -> dict[str, Said]:
    """Return what people said when the clusters that there are were made; empty where that is not known."""
    of_these = state.get("outputs", {}).get(UNKNOWN_CLUSTERS.name) == lake.version(UNKNOWN_CLUSTERS)
    return {image_id: (group, out_of) for image_id, (group, out_of) in state.get("said", {}).items() if of_these}


def _output_versions(lake: Lake) -> dict[str, str]:
    return {spec.name: lake.version(spec) for spec in (UNKNOWN_CLUSTERS, CLUSTER_SUMMARY, CLUSTER_EVENTS)}


def _stored(lake: Lake) -> Tables:
    return Tables(
        clusters=lake.frame(UNKNOWN_CLUSTERS).sort_values("image_id", ignore_index=True),
        events=lake.frame(CLUSTER_EVENTS),
    )


def _commit(lake: Lake, plan: Plan) -> None:
    """Write the tables in the one order in which a run may end between any two of them and be run again.

    The clusters carry the revision and are written between the others. A run that ended before them left events of a
    revision that the clusters do not know: the next run drops these and clusters again (`Tables.finished`). A run that
    ended after them left clusters from which the summary follows.
    """
    lake.replace(CLUSTER_EVENTS, plan.tables.events)
    lake.replace(UNKNOWN_CLUSTERS, plan.tables.clusters)
    lake.replace(CLUSTER_SUMMARY, plan.summary)


def _described(photos: UnknownPhotos, plan: Plan, method: Method) -> Discovery:
    """Measure the clusters of a plan, and say what a person should know about them."""
    clusters, found = plan.tables.clusters, plan.found
    labels = clusters["cluster_id"].to_numpy(np.int64)
    count, noise = len(set(labels.tolist()) - {NOISE}), int((labels == NOISE).sum())
    separation = silhouette(photos.compared, labels)
    meters = clusters["same_meter"].to_numpy(str)
    steadiness = stability(labels, lambda rows: method.cluster(photos, meters, rows).labels)
    metrics = {
        "silhouette": separation,
        "share_in_clusters": 1 - noise / len(labels) if len(labels) else 0.0,
        "stability": steadiness,
    }
    notes = [found.note] if found and found.note else []
    if count > 1 and separation < WEAK_SILHOUETTE:
        notes.append("The clusters are hardly apart; several of them may show one design.")
    _logger.info("%d clusters, %d of %d photos are noise", count, noise, len(labels))
    return Discovery(
        photos=len(labels),
        clusters=count,
        noise=noise,
        revision=plan.tables.revision,
        changed=True,
        note=" ".join(notes),
        parameters=found.parameters if found else {"method": "the clusters that were there"},
        metrics={name: round(value, 4) for name, value in metrics.items() if value is not None},
    )


def _read_photos(
    layout: Layout, stored: Tables, constraints: pd.DataFrame, said_before: Mapping[str, Said]
) -> UnknownPhotos:
    """Read what is compared, and what people said; hashes are computed of photos for which none is stored.

    Raises:
        MeterError: the embeddings come from several models.
    """
    embedded = read_embedded(layout)
    image_ids = embedded.image_ids
    hashes = stored.clusters.set_index("image_id")["perceptual_hash"].reindex(image_ids)
    return UnknownPhotos(
        image_ids=image_ids,
        model_version=embedded.model_version,
        compared=embedded.compared(),
        hashes=hash_photos(
            [layout.image(image_id) for image_id in image_ids],
            [hash_ if isinstance(hash_, str) else None for hash_ in hashes],
        ),
        look_like_meters=_look_like_meters(embedded),
        with_print=embedded.table["print_hash"].null_count < embedded.table.num_rows,
        metadata=layout.lake.frame(UNKNOWN_METADATA),
        constraints=GivenConstraints.among(image_ids, constraints),
        said_otherwise=frozenset(said_otherwise(said_before, said_of(constraints))),
    )


def _look_like_meters(photos: EmbeddedPhotos) -> np.ndarray | None:
    """Whether each photo looks like a meter, by the labelled photos of the model that embedded it."""
    known = photos.known
    meters = learn_meters(known.embeddings.pretrained, known.labels) if known is not None else None
    if meters is None:
        return None
    return meters.looks_like_a_meter(normalised(vectors(photos.table, "pretrained_embedding")))
