"""Sensors and schedules: new drops, decisions and photos, another data folder, trainings by a rule, failed runs."""

import json
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES

from meter_pipeline.defs import folder_and_history
from meter_pipeline.defs.beta import beta_features
from meter_pipeline.defs.instance import fail_abandoned_runs
from meter_pipeline.defs.intervals import (
    ABANDONED_INTERVAL_S,
    AUTOMATION_INTERVAL_S,
    DECISION_INTERVAL_S,
    DROP_INTERVAL_S,
    FOLDER_INTERVAL_S,
    MOST_LOOKS_HELD,
    RETRAINING_INTERVAL_S,
)
from meter_pipeline.defs.jobs import train
from meter_pipeline.defs.observations import (
    DATA_VERSION_TAG,
    EXCEL_DROPS,
    LABELLED_IMAGES,
    REVIEW_DECISIONS,
    labelled_images,
    last_observed,
    observe_decisions,
    observe_drops,
    observe_labelled,
)
from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.ingest.drop_folder import DropFile, listing, settled
from meter_pipeline.storage.masking import mask_urls
from meter_pipeline.storage.private_folders import make_private

RUNNING = dg.DefaultSensorStatus.RUNNING

observe_labelled_job = dg.define_asset_job(
    "observe_labelled_images",
    selection=[labelled_images],
    description="Look at the labelled photos; assets that were made from older ones then show as Unsynced.",
)

with beta_features():
    automation = dg.AutomationConditionSensorDefinition(
        "automation",
        target=dg.AssetSelection.all(),
        minimum_interval_seconds=AUTOMATION_INTERVAL_S,
        default_status=RUNNING,
        use_user_code_server=True,
        description="Runs the assets that were made from older inputs than there are now; never a training.",
    )


@dg.sensor(
    minimum_interval_seconds=DROP_INTERVAL_S,
    default_status=RUNNING,
    description="Reports the spreadsheets in data/drops as soon as they are complete; what follows runs by itself.",
)
def drop_sensor(context: dg.SensorEvaluationContext, pipeline: Pipeline) -> dg.SensorResult | dg.SkipReason:
    """Observe `excel_drops` when the set of complete files differs from the one last observed."""
    layout = pipeline.layout
    found = listing(layout.drops)
    cursor: dict[str, Any] = json.loads(context.cursor) if context.cursor else {"seen": [], "held": 0}
    whole, growing = settled(found, [DropFile(*entry) for entry in cursor["seen"]])
    observation = observe_drops(layout, whole)
    if growing and cursor["held"] < MOST_LOOKS_HELD:
        context.update_cursor(json.dumps({**cursor, "seen": found, "held": cursor["held"] + 1}))
        return dg.SkipReason(f"New or still being written: {', '.join(file.shown for file in growing)}.")
    context.update_cursor(json.dumps({"seen": found, "held": 0}))
    if last_observed(context.instance, EXCEL_DROPS) == observation.tags[DATA_VERSION_TAG]:
        return dg.SkipReason(f"Nothing new among {len(whole)} file(s).")
    return dg.SensorResult(asset_events=[observation])


@dg.sensor(
    minimum_interval_seconds=DECISION_INTERVAL_S,
    default_status=RUNNING,
    description="Reports what people decided, in data/review/decisions; what follows from it runs by itself.",
)
def decision_sensor(context: dg.SensorEvaluationContext, pipeline: Pipeline) -> dg.SensorResult | dg.SkipReason:
    """Observe `review_decisions` when the files differ from those last observed."""
    observation = observe_decisions(pipeline.layout)
    if last_observed(context.instance, REVIEW_DECISIONS) == observation.tags[DATA_VERSION_TAG]:
        return dg.SkipReason("No new decision.")
    return dg.SensorResult(asset_events=[observation])


@dg.sensor(
    job=train,
    minimum_interval_seconds=RETRAINING_INTERVAL_S,
    default_status=RUNNING,
    description="Starts a training when people named enough new photos; only where METER_RETRAIN_FROM_PHOTOS is set.",
)
def retraining(context: dg.SensorEvaluationContext, pipeline: Pipeline) -> dg.RunRequest | dg.SkipReason:
    """Request the job `train` where the rule says so; a training that failed counts as today's."""
    from_photos = pipeline.settings().retrain_from_photos
    if from_photos is None:
        return dg.SkipReason("Off: METER_RETRAIN_FROM_PHOTOS is not set, so a person starts each training.")
    from meter_pipeline.review.retraining import due, look  # loads pandas, which most looks do without

    under_way = dg.RunsFilter(job_name=train.name, statuses=list(IN_PROGRESS_RUN_STATUSES))
    if context.instance.get_runs(under_way, limit=1):
        return dg.SkipReason("A training is under way.")
    now = datetime.now(UTC)
    asked = datetime.fromisoformat(context.cursor) if context.cursor else None
    answer = due(look(pipeline.layout), from_photos=from_photos, last_asked=asked, now=now)
    if not answer.is_due:
        return dg.SkipReason(answer.reason)
    context.update_cursor(now.isoformat())
    return dg.RunRequest(tags={"meter/from": "retraining", "meter/why": answer.reason})


@dg.schedule(
    job=observe_labelled_job,
    cron_schedule="* * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Looks for new, changed or removed labelled photos every minute; runs only if there are any.",
)
def labelled_images_schedule(
    context: dg.ScheduleEvaluationContext, pipeline: Pipeline
) -> dg.RunRequest | dg.SkipReason:
    """Request an observation when the listing differs from the one last observed."""
    now = observe_labelled(pipeline.layout).tags[DATA_VERSION_TAG]
    if now == last_observed(context.instance, LABELLED_IMAGES):
        return dg.SkipReason("The labelled photos are the same as last observed.")
    return dg.RunRequest(run_key=None, tags={"meter/from": "labelled_images_schedule"})


@dg.run_failure_sensor(
    default_status=RUNNING,
    description="Writes one line per failed run to data/logs/failures.log; mail or chat can be connected there.",
)
def failure_log(context: dg.RunFailureSensorContext, pipeline: Pipeline) -> None:
    """Write down what failed, where, and with which message."""
    step = next(iter(context.get_step_failure_events()), None)
    failure = step.step_failure_data if step else None
    said = failure.user_failure_data.description if failure and failure.user_failure_data else None
    message = mask_urls(" ".join(str(said or context.failure_event.message or "").split()))
    line = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} run={context.dagster_run.run_id} "
    line += f"job={context.dagster_run.job_name} step={step.step_key if step else '-'} {message}\n"
    log = pipeline.layout.failure_log
    make_private(log.parent)
    with log.open("a", encoding="utf-8") as handle:
        handle.write(line)


@dg.sensor(
    minimum_interval_seconds=ABANDONED_INTERVAL_S,
    default_status=RUNNING,
    description="Marks runs of `meter update` and `meter train` as failed whose process was killed.",
)
def abandoned_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Mark the runs as failed that will never report their end."""
    failed = fail_abandoned_runs(context.instance)
    return dg.SkipReason(f"{len(failed)} abandoned run(s).")


@dg.sensor(
    minimum_interval_seconds=FOLDER_INTERVAL_S,
    default_status=RUNNING,
    description="Reports what the data folder holds where no run of this history made it: a restored backup, tables of"
    " another machine. What follows from it runs by itself.",
)
def folder_sensor(context: dg.SensorEvaluationContext, pipeline: Pipeline) -> dg.SkipReason:
    """Report what differs from the history once two looks agree: a backup is restored file by file."""
    seen = json.loads(context.cursor) if context.cursor else []
    found, settled = folder_and_history.note_what_stays(context.instance, pipeline.layout, seen)
    context.update_cursor(json.dumps([difference.seen for difference in found]))
    if settled:
        return dg.SkipReason(f"The history now says what the data folder holds ({folder_and_history.shown(settled)}).")
    if found:
        return dg.SkipReason(f"Perhaps still being copied: {', '.join(difference.asset for difference in found)}.")
    waits = folder_and_history.what_waits(pipeline.layout)
    return dg.SkipReason(f"The history says what the data folder holds. {waits}".strip())


SENSORS = [automation, drop_sensor, decision_sensor, folder_sensor, retraining, failure_log, abandoned_runs]
SCHEDULES = [labelled_images_schedule]
