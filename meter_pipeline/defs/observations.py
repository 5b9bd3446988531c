"""The folders that people put files into, as observed external assets; the listing's hash is the data version."""

import dagster as dg

from meter_pipeline.dataset.labelled_folder import listing_digest
from meter_pipeline.defs.beta import beta_features
from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.ingest.drop_folder import DropFile, listing, listing_version
from meter_pipeline.storage.layout import Layout

DATA_VERSION_TAG = "dagster/data_version"


LABELLED_IMAGES = dg.AssetSpec(
    "labelled_images", group_name="dataset", description="Labelled photos: the files in data/raw, one folder per class."
)
EXCEL_DROPS = dg.AssetSpec(
    "excel_drops", group_name="batches", description="Spreadsheets of photo URLs: the files in data/drops/."
)
REVIEW_DECISIONS = dg.AssetSpec(
    "review_decisions",
    group_name="review",
    description="What people decided about photos: the files in data/review/decisions/, one for each decision.",
)


with beta_features():

    @dg.multi_observable_source_asset(specs=[LABELLED_IMAGES])
    def labelled_images(pipeline: Pipeline) -> dg.ObserveResult:
        """Look at the labelled photos."""
        return _as_result(observe_labelled(pipeline.layout))

    @dg.multi_observable_source_asset(specs=[EXCEL_DROPS])
    def excel_drops(pipeline: Pipeline) -> dg.ObserveResult:
        """Look at the drops."""
        return _as_result(observe_drops(pipeline.layout))

    @dg.multi_observable_source_asset(specs=[REVIEW_DECISIONS])
    def review_decisions(pipeline: Pipeline) -> dg.ObserveResult:
        """Look at the decisions."""
        return _as_result(observe_decisions(pipeline.layout))


def observe_labelled(layout: Layout) -> dg.AssetObservation:
    """Observe the labelled photos."""
    return _observation(LABELLED_IMAGES, listing_digest(layout.raw), folder=dg.MetadataValue.path(layout.raw))


def observe_drops(layout: Layout, whole: list[DropFile] | None = None) -> dg.AssetObservation:
    """Observe the drops, or only those that are known to be complete."""
    files = listing(layout.drops) if whole is None else whole
    return _observation(
        EXCEL_DROPS, listing_version(files), folder=dg.MetadataValue.path(layout.drops), files=len(files)
    )


def observe_decisions(layout: Layout) -> dg.AssetObservation:
    """Observe the decisions that people made."""
    folder = layout.decisions
    return _observation(REVIEW_DECISIONS, listing_digest(folder), folder=dg.MetadataValue.path(folder))


def last_observed(instance: dg.DagsterInstance, spec: dg.AssetSpec) -> str | None:
    """Return the data version of a folder when it was last observed; None if it never was."""
    records = instance.fetch_observations(spec.key, limit=1).records
    observed = records[0].asset_observation if records else None
    return observed.tags.get(DATA_VERSION_TAG) if observed else None


def _observation(spec: dg.AssetSpec, version: str, **metadata: object) -> dg.AssetObservation:
    return dg.AssetObservation(spec.key, metadata=metadata, tags={DATA_VERSION_TAG: version})  # type: ignore[arg-type]


def _as_result(observation: dg.AssetObservation) -> dg.ObserveResult:
    version = dg.DataVersion(observation.tags[DATA_VERSION_TAG])
    return dg.ObserveResult(data_version=version, metadata=observation.metadata)
