"""Discovery: the UNKNOWN photos' embeddings, their clusters, and the folders that people open."""

import dagster as dg

from meter_pipeline.defs.automation import TRAINING_GROUPS, when_inputs_change
from meter_pipeline.defs.batches import IN_THE_BATCH, batch_predictions, image_features
from meter_pipeline.defs.metadata import check_result, column_schema, frame_table, table_result
from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.defs.run_config import overrides_of
from meter_pipeline.settings import ClusterSettings
from meter_pipeline.storage.tables import (
    CLUSTER_EVENTS,
    CLUSTER_SUMMARY,
    UNKNOWN_CLUSTERS,
    UNKNOWN_EMBEDDINGS,
    UNKNOWN_MAP,
    UNKNOWN_METADATA,
)

GROUP = "discovery"
AFTER_THE_BATCH = when_inputs_change(not_waiting_for=TRAINING_GROUPS)


class ClusterConfig(overrides_of(ClusterSettings)):  # type: ignore[misc]
    """Overrides of the settings for this run, and whether to cluster as if no photo had a cluster yet."""

    anew: bool = False


@dg.asset(
    group_name=GROUP,
    deps=[batch_predictions, image_features],
    code_version="2",
    pool="batches",
    kinds={"python", "parquet"},
    metadata=column_schema(UNKNOWN_EMBEDDINGS, UNKNOWN_METADATA),
    automation_condition=IN_THE_BATCH,
)
def unknown_embeddings(pipeline: Pipeline) -> dg.MaterializeResult:
    """One row per UNKNOWN photo: its embeddings. Also writes the table unknown_metadata: its URL and top 3."""
    from meter_pipeline.discovery.unknown_embeddings import collect_unknown

    with pipeline.working("batches") as layout:
        lake, photos = layout.lake, collect_unknown(layout)
        version = f"{lake.version(UNKNOWN_EMBEDDINGS)[:16]}{lake.version(UNKNOWN_METADATA)[:16]}"
        return table_result(
            lake,
            UNKNOWN_EMBEDDINGS,
            metadata={"photos": photos, "metadata": frame_table(lake.frame(UNKNOWN_METADATA).head(8))},
            preview=False,
            data_version=version,
        )


@dg.asset(
    group_name=GROUP,
    deps=[unknown_embeddings],
    code_version="5",
    pool="batches",
    kinds={"scikitlearn", "parquet"},
    metadata=column_schema(UNKNOWN_CLUSTERS, CLUSTER_SUMMARY, CLUSTER_EVENTS, UNKNOWN_MAP),
    automation_condition=AFTER_THE_BATCH,
)
def unknown_clusters(config: ClusterConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """One row per UNKNOWN photo: its cluster (-1 is noise); a cluster that is still there keeps its id.

    Also writes the tables cluster_summary, cluster_events and unknown_map.
    """
    from meter_pipeline.discovery.unknown_clusters import cluster_unknowns

    settings = ClusterSettings.from_settings(pipeline.settings(config))
    with pipeline.working("batches") as layout:
        found = cluster_unknowns(layout, settings, anew=config.anew)
        return table_result(
            layout.lake,
            UNKNOWN_CLUSTERS,
            metadata={
                "clusters": found.clusters,
                "noise": found.noise,
                "note": found.note,
                **found.parameters,
                **found.metrics,
                "summary": frame_table(layout.lake.frame(CLUSTER_SUMMARY)),
            },
        )


@dg.asset_check(asset=unknown_clusters, blocking=True)
def every_unknown_is_in_one_cluster_or_noise(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Every UNKNOWN photo is in exactly one cluster, or noise."""
    from meter_pipeline.discovery.unknown_clusters import cluster_problems

    lake = pipeline.layout.lake
    return check_result(cluster_problems(lake.frame(UNKNOWN_EMBEDDINGS, ["image_id"]), lake.frame(UNKNOWN_CLUSTERS)))


@dg.asset(
    group_name=GROUP,
    deps=[unknown_clusters, unknown_embeddings],
    code_version="2",
    pool="batches",
    kinds={"image", "csv"},
    automation_condition=when_inputs_change(
        not_waiting_for=TRAINING_GROUPS, together_with=dg.AssetSelection.assets("unknown_clusters")
    ),
)
def cluster_folders(pipeline: Pipeline) -> dg.MaterializeResult:
    """Folders, contact sheets and CSVs under data/clusters and data/reports/clusters, for people."""
    from meter_pipeline.discovery.cluster_folders import write_cluster_folders
    from meter_pipeline.discovery.reports import MAP_PAGE

    with pipeline.working("batches") as layout:
        lake, changes = layout.lake, write_cluster_folders(layout)
        return dg.MaterializeResult(
            metadata={
                "folder": dg.MetadataValue.path(layout.clusters),
                "map": dg.MetadataValue.path(layout.cluster_reports / MAP_PAGE),
                "written now": changes.written,
                "removed now": changes.removed,
            },
            data_version=dg.DataVersion(f"{lake.version(UNKNOWN_CLUSTERS)[:16]}{lake.version(UNKNOWN_METADATA)[:16]}"),
        )


@dg.asset_check(asset=cluster_folders, blocking=True)
def folders_match_the_table(pipeline: Pipeline) -> dg.AssetCheckResult:
    """The cluster folders hold exactly the photos that the table says."""
    from meter_pipeline.discovery.cluster_folders import folder_problems

    return check_result(folder_problems(pipeline.layout))
