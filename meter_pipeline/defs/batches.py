"""Batches: the drops' rows, each photo once, features, predictions, and the exports people wait for."""

import dagster as dg

from meter_pipeline.defs.automation import NO_BATCH_WAITS_FOR, with_the_batch
from meter_pipeline.defs.folder_contents import data_version
from meter_pipeline.defs.metadata import check_result, column_schema, counts_table, frame_table, table_result
from meter_pipeline.defs.model import champion_model
from meter_pipeline.defs.observations import excel_drops
from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.defs.review import reviewed_images
from meter_pipeline.defs.run_config import overrides_of
from meter_pipeline.settings import DecisionSettings, DownloadSettings, ServingSettings, SheetSettings
from meter_pipeline.storage.tables import (
    BATCH_PREDICTIONS,
    DROP_ROWS,
    DROPS,
    IMAGE_FEATURES,
    URL_IMAGES,
)

GROUP = "batches"
CHAIN = (
    "drop_rows",
    "url_images",
    "image_features",
    "batch_predictions",
    "prediction_exports",
    "unknown_embeddings",
)
"""What is made from a new drop in one run."""
IN_THE_BATCH = with_the_batch(CHAIN, not_waiting_for=NO_BATCH_WAITS_FOR)


class DropConfig(overrides_of(SheetSettings)):  # type: ignore[misc]
    """Overrides of the settings for this run."""


class DownloadConfig(overrides_of(DownloadSettings)):  # type: ignore[misc]
    """Overrides of the settings for this run, and whether to fetch again what failed or may have changed."""

    retry_failed: bool = False
    refresh: bool = False


class ServingConfig(overrides_of(ServingSettings)):  # type: ignore[misc]
    """Overrides of the settings for this run."""


class DecisionConfig(overrides_of(DecisionSettings)):  # type: ignore[misc]
    """Overrides of the settings for this run."""


@dg.asset(
    group_name=GROUP,
    deps=[excel_drops],
    code_version="2",
    pool="batches",
    kinds={"excel", "parquet"},
    metadata=column_schema(DROP_ROWS, DROPS),
    automation_condition=IN_THE_BATCH,
)
def drop_rows(config: DropConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """One row per URL of every spreadsheet ever dropped; refused rows with the reason. Also writes the table drops."""
    from meter_pipeline.ingest.drop_rows import take_in_drops

    settings = pipeline.settings(config)
    with pipeline.working("batches") as layout:
        drops = take_in_drops(layout, SheetSettings.from_settings(settings), DownloadSettings.from_settings(settings))
        shown = drops[["drop", "status", "rows", "url_columns", "passed_over", "reason"]]
        return table_result(layout.lake, DROP_ROWS, metadata={"drops": frame_table(shown)})


@dg.asset_check(asset=drop_rows)
def drops_are_readable(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Every file in data/drops could be read."""
    from meter_pipeline.ingest.drop_rows import drop_problems

    return check_result(drop_problems(pipeline.layout), severity=dg.AssetCheckSeverity.WARN)


@dg.asset(
    group_name=GROUP,
    deps=[drop_rows],
    code_version="1",
    pool="batches",
    kinds={"python", "parquet"},
    metadata=column_schema(URL_IMAGES),
    automation_condition=IN_THE_BATCH,
)
def url_images(config: DownloadConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """One row per URL: the outcome of fetching it. Each URL is fetched once; failed ones again only on request."""
    from meter_pipeline.batches.streaming import download_and_look
    from meter_pipeline.ingest.url_images import DownloadLimits

    settings = pipeline.settings(config)
    with pipeline.working("batches") as layout:
        limits = DownloadLimits.from_settings(settings)
        summary = download_and_look(layout, limits, retry_failed=config.retry_failed, refresh=config.refresh)
        counts = {"fetched now": summary.fetched, "failed now": summary.failed, "outcomes now": summary.outcomes}
        if summary.alike:
            counts["perhaps pictures of 'no image'"] = summary.alike
        return table_result(layout.lake, URL_IMAGES, metadata=counts)


@dg.asset(
    group_name=GROUP,
    deps=[url_images, champion_model],
    code_version="1",
    pool="batches",
    kinds={"onnx", "parquet"},
    metadata=column_schema(IMAGE_FEATURES),
    automation_condition=IN_THE_BATCH,
)
def image_features(config: ServingConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """One row per photo and model: embeddings and logits; each is computed once, most while photos are downloaded."""
    from meter_pipeline.recognition.image_features import compute_features

    serving = ServingSettings.from_settings(pipeline.settings(config))
    with pipeline.working("batches") as layout:
        computed = compute_features(layout, serving)
        return table_result(layout.lake, IMAGE_FEATURES, metadata={"computed now": computed}, preview=False)


@dg.asset(
    group_name=GROUP,
    deps=[drop_rows, url_images, image_features, champion_model],
    code_version="4",
    pool="batches",
    kinds={"python", "parquet"},
    metadata=column_schema(BATCH_PREDICTIONS),
    automation_condition=IN_THE_BATCH,
)
def batch_predictions(config: DecisionConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """One row per drop row: top 3, final label, and which rule decided. A changed threshold reruns only this."""
    from meter_pipeline.batches.batch_predictions import name_rows

    rules = DecisionSettings.from_settings(pipeline.settings(config))
    with pipeline.working("batches") as layout:
        predictions = name_rows(layout, rules)
        return table_result(
            layout.lake, BATCH_PREDICTIONS, metadata={"final labels": counts_table(predictions["final_prediction"])}
        )


@dg.asset_check(asset=batch_predictions, blocking=True)
def every_row_has_one_prediction(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Every drop row has exactly one prediction."""
    from meter_pipeline.batches.batch_predictions import prediction_problems

    lake = pipeline.layout.lake
    return check_result(prediction_problems(lake.frame(DROP_ROWS), lake.frame(BATCH_PREDICTIONS)))


@dg.asset(
    group_name=GROUP,
    deps=[drop_rows, batch_predictions, reviewed_images],
    code_version="3",
    pool="batches",
    kinds={"csv", "excel"},
    automation_condition=IN_THE_BATCH,
)
def prediction_exports(pipeline: Pipeline) -> dg.MaterializeResult:
    """One CSV and one XLSX per drop under data/reports/batches, for people; only changed drops are written."""
    from meter_pipeline.batches.prediction_exports import export_drops

    with pipeline.working("batches") as layout:
        exported = export_drops(layout)
        return dg.MaterializeResult(
            metadata={
                "folder": dg.MetadataValue.path(layout.batch_reports),
                "drops": exported.drops,
                "written now": exported.written,
            },
            data_version=dg.DataVersion(data_version("prediction_exports", layout)),
        )
