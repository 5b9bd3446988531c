"""The warehouse: DuckDB views over every table, for people and for the dashboard."""

import dagster as dg

from meter_pipeline.defs.automation import TRAINING_GROUPS, when_inputs_change
from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.storage.tables import ALL_TABLES

GROUP = "review"


@dg.asset(
    group_name=GROUP,
    deps=["champion_model", "known_embeddings", "prediction_exports", "cluster_folders"],
    code_version="1",
    pool="batches",
    kinds={"duckdb"},
    automation_condition=when_inputs_change(
        not_waiting_for=TRAINING_GROUPS, together_with=dg.AssetSelection.assets("cluster_folders")
    ),
)
def warehouse(pipeline: Pipeline) -> dg.MaterializeResult:
    """`data/warehouse.duckdb`: a view over each table of the lake; new rows show in it without a write."""
    from meter_pipeline.storage.warehouse import build_warehouse

    with pipeline.working("batches") as layout:
        views = build_warehouse(layout)
        return dg.MaterializeResult(
            metadata={
                "file": dg.MetadataValue.path(layout.warehouse),
                "views": len(views),
                "rows": sum(views.values()),
            },
            data_version=dg.DataVersion(f"{len(ALL_TABLES)} tables"),
        )
