"""Discovery: the UNKNOWN photos' embeddings, their clusters, the folders that people open, and the map."""

import dagster as dg

from meter_pipeline.defs.automation import TRAINING_GROUPS, when_inputs_change
from meter_pipeline.defs.batches import IN_THE_BATCH, batch_predictions, image_features
from meter_pipeline.defs.folder_contents import data_version
from meter_pipeline.defs.metadata import check_result, column_schema, frame_table, table_result
from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.defs.review import reviewed_images
from meter_pipeline.defs.run_config import overrides_of
from meter_pipeline.settings import ClusterSettings, MapSettings, UnknownPrintSettings
from meter_pipeline.storage.tables import (
    CLUSTER_EVENTS,
    CLUSTER_SUMMARY,
    REVIEW_CONSTRAINTS,
    UNKNOWN_CLUSTERS,
    UNKNOWN_EMBEDDINGS,
    UNKNOWN_LOOKS,
    UNKNOWN_MAP,
    UNKNOWN_METADATA,
)

GROUP = "discovery"
AFTER_THE_EXPORTS = {"dagster/priority": "-1"}
LAST_IN_A_RUN = {"dagster/priority": "-2"}
AFTER_THE_BATCH = when_inputs_change(not_waiting_for=TRAINING_GROUPS)


class UnknownPrintConfig(overrides_of(UnknownPrintSettings)):  # type: ignore[misc]
    """Overrides of the settings for this run."""


class ClusterConfig(overrides_of(ClusterSettings)):  # type: ignore[misc]
    """Overrides of the settings for this run, and whether to cluster as if no photo had a cluster yet."""

    anew: bool = False


class MapConfig(overrides_of(MapSettings)):  # type: ignore[misc]
    """Overrides of the settings for this run."""


@dg.asset(
    group_name=GROUP,
    deps=[batch_predictions, image_features, reviewed_images],
    code_version="4",
    pool="batches",
    # Reading plates takes minutes to hours where many photos are new, and people wait for the exports of the same run.
    op_tags=AFTER_THE_EXPORTS,
    kinds={"python", "parquet"},
    metadata=column_schema(UNKNOWN_EMBEDDINGS, UNKNOWN_METADATA),
    automation_condition=IN_THE_BATCH,
)
def unknown_embeddings(config: UnknownPrintConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """One row per UNKNOWN photo that nobody decided on: its embeddings, and what is printed on its plate, where read.

    Also writes the table unknown_metadata: its URL and top 3.
    """
    from meter_pipeline.discovery.unknown_embeddings import collect_unknown

    settings = UnknownPrintSettings.from_settings(pipeline.settings(config))
    with pipeline.working("batches") as layout:
        lake, collected = layout.lake, collect_unknown(layout, settings)
        return table_result(
            lake,
            UNKNOWN_EMBEDDINGS,
            metadata={
                "photos": collected.photos,
                "decided, left out": collected.decided,
                "photos with print": collected.with_print,
                "metadata": frame_table(lake.frame(UNKNOWN_METADATA).head(8)),
            },
            preview=False,
            data_version=data_version("unknown_embeddings", layout),
        )


@dg.asset(
    group_name=GROUP,
    deps=[unknown_embeddings, reviewed_images],
    code_version="7",
    pool="batches",
    kinds={"scikitlearn", "parquet"},
    metadata=column_schema(UNKNOWN_CLUSTERS, CLUSTER_SUMMARY, CLUSTER_EVENTS, UNKNOWN_LOOKS),
    automation_condition=AFTER_THE_BATCH,
)
def unknown_clusters(config: ClusterConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """One row per undecided UNKNOWN photo: its cluster (-1 is noise); a cluster that is still there keeps its id.

    What people said belongs together, or does not, holds. Also writes the tables cluster_summary,
    cluster_events and unknown_looks.
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
    """Every UNKNOWN photo is in exactly one cluster, or noise, and where people said it belongs."""
    from meter_pipeline.discovery.unknown_clusters import cluster_problems

    lake = pipeline.layout.lake
    clusters, constraints = lake.frame(UNKNOWN_CLUSTERS), lake.frame(REVIEW_CONSTRAINTS)
    return check_result(cluster_problems(lake.frame(UNKNOWN_EMBEDDINGS, ["image_id"]), clusters, constraints))


@dg.asset(
    group_name=GROUP,
    deps=[unknown_clusters, unknown_embeddings],
    code_version="3",
    pool="batches",
    kinds={"image", "csv"},
    automation_condition=when_inputs_change(
        not_waiting_for=TRAINING_GROUPS, together_with=dg.AssetSelection.assets("unknown_clusters")
    ),
)
def cluster_folders(pipeline: Pipeline) -> dg.MaterializeResult:
    """Folders, contact sheets and CSVs under data/clusters and data/reports/clusters, for people."""
    from meter_pipeline.discovery.cluster_folders import write_cluster_folders

    with pipeline.working("batches") as layout:
        changes = write_cluster_folders(layout)
        return dg.MaterializeResult(
            metadata={
                "folder": dg.MetadataValue.path(layout.clusters),
                "written now": changes.written,
                "removed now": changes.removed,
            },
            data_version=dg.DataVersion(data_version("cluster_folders", layout)),
        )


@dg.asset_check(asset=cluster_folders, blocking=True)
def folders_match_the_table(pipeline: Pipeline) -> dg.AssetCheckResult:
    """The cluster folders hold exactly the photos that the table says."""
    from meter_pipeline.discovery.cluster_folders import folder_problems

    return check_result(folder_problems(pipeline.layout))


@dg.asset(
    group_name=GROUP,
    deps=[unknown_clusters, unknown_embeddings, cluster_folders],
    code_version="1",
    # A pool and a run of its own: laying out photos takes 15 s to minutes, in which drops are taken in.
    pool="map",
    op_tags=LAST_IN_A_RUN,
    kinds={"python", "parquet"},
    metadata=column_schema(UNKNOWN_MAP),
    automation_condition=AFTER_THE_BATCH,
)
def unknown_map(config: MapConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """One row per UNKNOWN photo: its place on a plane where photos that look alike are near. Also writes the map page.

    It is made after the clusters and their folders, and nothing waits for it.
    """
    from meter_pipeline.discovery.reports import MAP_PAGE
    from meter_pipeline.discovery.unknown_map import draw_map, place_unknowns

    settings = MapSettings.from_settings(pipeline.settings(config))
    with pipeline.working("map") as layout:
        place_unknowns(layout, settings)
        with pipeline.working("batches"):  # the page links to files in the folders
            drawn = draw_map(layout)
        return table_result(
            layout.lake,
            UNKNOWN_MAP,
            metadata={
                "page": dg.MetadataValue.path(layout.cluster_reports / MAP_PAGE),
                "photos without a place": drawn.waiting,
            },
        )


@dg.asset_check(asset=unknown_map)
def every_unknown_is_on_the_map_once(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Every UNKNOWN photo is on the map exactly once. Photos that came while it was made are on the next one."""
    from meter_pipeline.discovery.unknown_map import map_problems

    lake = pipeline.layout.lake
    problems = map_problems(lake.frame(UNKNOWN_EMBEDDINGS, ["image_id"]), lake.frame(UNKNOWN_MAP, ["image_id"]))
    return check_result(problems, severity=dg.AssetCheckSeverity.WARN)
