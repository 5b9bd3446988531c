"""Review: what people decided, the photos they named in the data set, and the warehouse over every table."""

import dagster as dg

from meter_pipeline.defs.automation import TRAINING_GROUPS, when_inputs_change
from meter_pipeline.defs.folder_contents import data_version
from meter_pipeline.defs.metadata import check_result, column_schema, frame_table, table_result
from meter_pipeline.defs.observations import observe_labelled, review_decisions
from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.defs.run_config import overrides_of
from meter_pipeline.settings import ClassSizeSettings
from meter_pipeline.storage.tables import PROMOTED_IMAGES, REVIEW_CONSTRAINTS, REVIEWED_IMAGES

GROUP = "review"
BEFORE_ALL_ELSE = {"dagster/priority": "10"}
"""In the job `train` named photos are promoted before the inventory is taken, which is no dependency of the graph."""


class ClassSizeConfig(overrides_of(ClassSizeSettings)):  # type: ignore[misc]
    """Overrides of the settings for this run."""


# Neither is in a pool: a run holds its pools to its end, and decisions are taken in while a model trains. The lock of
# the data directory keeps two runs apart.
@dg.asset(
    group_name=GROUP,
    deps=[review_decisions],
    code_version="1",
    op_tags=BEFORE_ALL_ELSE,
    kinds={"python", "parquet"},
    metadata=column_schema(REVIEWED_IMAGES, REVIEW_CONSTRAINTS),
    automation_condition=when_inputs_change(),
)
def reviewed_images(pipeline: Pipeline) -> dg.MaterializeResult:
    """One row per photo that people decided on: its live decision, by whom and when.

    Also writes the table review_constraints: which photos belong together, and which do not.
    """
    from meter_pipeline.review.reviewed_images import review_photos

    with pipeline.working("review") as layout:
        summary = review_photos(layout)
        return table_result(
            layout.lake,
            REVIEWED_IMAGES,
            metadata={
                "named": summary.named,
                "junk": summary.junk,
                "disputed": summary.disputed,
                "decisions that were not applied": summary.problems,
            },
            data_version=data_version("reviewed_images", layout),
        )


@dg.asset_check(asset=reviewed_images)
def decisions_can_be_applied(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Every decision file can be read, and names photos that are there."""
    from meter_pipeline.review.reviewed_images import decision_problems

    return check_result(decision_problems(pipeline.layout), severity=dg.AssetCheckSeverity.WARN)


@dg.asset(
    group_name=GROUP,
    deps=[reviewed_images],
    code_version="1",
    op_tags=BEFORE_ALL_ELSE,
    kinds={"image", "parquet"},
    metadata=column_schema(PROMOTED_IMAGES),
    automation_condition=when_inputs_change(together_with=dg.AssetSelection.assets("reviewed_images")),
)
def promoted_images(
    context: dg.AssetExecutionContext, config: ClassSizeConfig, pipeline: Pipeline
) -> dg.MaterializeResult:
    """One row per photo that a person named: whether it lies in data/raw under that class, and if not, why."""
    from meter_pipeline.review.promoted_images import promote

    settings = ClassSizeSettings.from_settings(pipeline.settings(config))
    with pipeline.working("review") as layout:
        summary = promote(layout, settings)
        if summary.promoted or summary.removed:
            # The inventory of this run, or the next one, is then seen to be made from these photos.
            context.instance.report_runless_asset_event(observe_labelled(layout))
        return table_result(
            layout.lake,
            PROMOTED_IMAGES,
            metadata={
                "promoted now": summary.promoted,
                "taken out now": summary.removed,
                **{str(status): count for status, count in summary.counts.items()},
                "classes": frame_table(summary.classes, rows=200),
            },
        )


@dg.asset_check(asset=promoted_images)
def named_photos_are_in_the_data_set(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Every photo that a person named is promoted: none is disputed, lost, labelled otherwise or changed since."""
    from meter_pipeline.review.promoted_images import promotion_problems

    return check_result(promotion_problems(pipeline.layout), severity=dg.AssetCheckSeverity.WARN)


@dg.asset(
    group_name=GROUP,
    deps=["champion_model", "known_embeddings", "prediction_exports", "cluster_folders", promoted_images],
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
            data_version=dg.DataVersion(data_version("warehouse", layout)),
        )
