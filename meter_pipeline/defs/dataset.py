"""The data set: labelled photos on disk, their inventory, and the split into train, val and test."""

import dagster as dg

from meter_pipeline.defs.metadata import check_result, column_schema, frame_table, table_result
from meter_pipeline.defs.observations import labelled_images
from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.defs.run_config import overrides_of
from meter_pipeline.settings import SplitSettings
from meter_pipeline.storage.tables import DATASET_SPLIT, IMAGE_INVENTORY, PROMOTED_IMAGES

GROUP = "dataset"


class SplitConfig(overrides_of(SplitSettings)):  # type: ignore[misc]
    """Overrides of the settings for this run."""


@dg.asset(
    group_name=GROUP,
    deps=[labelled_images],
    code_version="2",
    pool="training",
    kinds={"python", "parquet"},
    metadata=column_schema(IMAGE_INVENTORY),
)
def image_inventory(pipeline: Pipeline) -> dg.MaterializeResult:
    """One row per labelled file: size, quality, near-duplicate group, or why it was refused."""
    from meter_pipeline.dataset.class_folders import merged_folders
    from meter_pipeline.dataset.image_inventory import take_inventory

    with pipeline.working("training") as layout:
        lake = layout.lake
        inventory = take_inventory(
            layout.raw,
            lake.frame(IMAGE_INVENTORY),
            promoted=lake.frame(PROMOTED_IMAGES),
            journal=layout.inventory_journal,
        )
        lake.replace(IMAGE_INVENTORY, inventory)
        refused = inventory[inventory["reason"].notna()]
        return table_result(
            lake,
            IMAGE_INVENTORY,
            metadata={
                "used": int(inventory["reason"].isna().sum()),
                "refused": len(refused),
                "classes": int(inventory["label"].nunique()),
                "folders that are one class": frame_table(merged_folders(inventory)),
                "refused files": frame_table(refused[["path", "reason"]]),
            },
        )


@dg.asset(
    group_name=GROUP,
    deps=[image_inventory, labelled_images],
    code_version="2",
    pool="training",
    kinds={"python", "parquet"},
    metadata=column_schema(DATASET_SPLIT),
)
def dataset_split(config: SplitConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """One row per photo: train, val or test, and the rule that put it there; to browse under data/processed."""
    from meter_pipeline.dataset.dataset_split import split_dataset
    from meter_pipeline.dataset.processed_folders import write_processed

    settings = SplitSettings.from_settings(pipeline.settings(config))
    with pipeline.working("training") as layout:
        lake = layout.lake
        split = split_dataset(
            lake.frame(IMAGE_INVENTORY),
            lake.frame(DATASET_SPLIT),
            settings,
        )
        lake.replace(DATASET_SPLIT, split)
        write_processed(split, layout.raw, layout.processed)
        counts = split.pivot_table(index="label", columns="split", values="image_id", aggfunc="count", fill_value=0)
        return table_result(
            lake, DATASET_SPLIT, metadata={"photos per class and split": frame_table(counts.reset_index(), rows=200)}
        )


@dg.asset_check(asset=dataset_split, blocking=True)
def split_leaks_nothing(pipeline: Pipeline) -> dg.AssetCheckResult:
    """No photo and no group of near-duplicates is in two splits, and no class is only tested."""
    from meter_pipeline.dataset.dataset_split import split_problems

    return check_result(split_problems(pipeline.layout.lake.frame(DATASET_SPLIT)))
