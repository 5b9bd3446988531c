"""Runs a job of the graph in this process, for the command line, with the same instance and history as the UI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from meter_pipeline.definitions import build_definitions
from meter_pipeline.defs.instance import process_tag, ready_instance
from meter_pipeline.defs.observations import observe_decisions, observe_drops, observe_labelled
from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.errors import MeterError
from meter_pipeline.settings import load_settings
from meter_pipeline.storage.leftovers import sweep
from meter_pipeline.storage.masking import mask_urls

GATE_CHECK = "check challenger_passed_the_gate of champion_model failed"
"""How the problem begins that says that the gate did not accept a model."""
QUIET_DAGSTER_LOG = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class LocalRun:
    """The result of a run in this process.

    Attributes:
        run_id: its id in the history.
        success: whether every step ended well.
        problems: why steps failed, and the checks that did not pass, a sentence each.
        counts: the whole numbers that the assets say of themselves, by asset and name.
    """

    run_id: str
    success: bool
    problems: list[str]
    counts: dict[str, dict[str, int]] = field(default_factory=dict)


def run_job(
    job: str,
    *,
    overrides: Mapping[str, Any] | None = None,
    config: Mapping[str, Mapping[str, Any]] | None = None,
) -> LocalRun:
    """Run a job (`train`, `update`, ...) to its end in this process.

    Args:
        job: name of the job.
        overrides: settings that win over the environment.
        config: run config, asset name to its fields.

    Raises:
        MeterError: the data directory or its history cannot be used.
        KeyboardInterrupt: a person stopped it; finished work is kept.
    """
    pipeline = Pipeline(overrides=dict(overrides or {}))
    data_dir = load_settings(**pipeline.overrides).data_dir
    pipeline.layout.prepare()
    sweep(pipeline.layout)
    with ready_instance(data_dir) as instance:
        for observe in (observe_labelled, observe_drops, observe_decisions):
            instance.report_runless_asset_event(observe(pipeline.layout))
        definition = build_definitions(pipeline).resolve_job_def(job)
        ops = {asset: {"config": dict(fields)} for asset, fields in (config or {}).items()}
        result = definition.execute_in_process(
            instance=instance,
            run_config={**QUIET_DAGSTER_LOG, "ops": ops},
            tags={**process_tag(), "meter/from": "command line"},
            raise_on_error=False,
        )
        problems = [mask_urls(_problem(event)) for event in result.all_events if event.is_step_failure]
        problems += [
            f"check {evaluation.check_name} of {evaluation.asset_key.to_user_string()} failed: {evaluation.description}"
            for evaluation in result.get_asset_check_evaluations()
            if not evaluation.passed
        ]
        run = LocalRun(result.run_id, result.success, problems, _counts(result))
    if any(_was_stopped(event) for event in result.all_events if event.is_step_failure):
        raise KeyboardInterrupt
    return run


def _was_stopped(event: dg.DagsterEvent) -> bool:
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error is not None and error.cls_name in ("DagsterExecutionInterruptedError", "KeyboardInterrupt")


def _counts(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, int]]:
    return {
        event.asset_key.to_user_string(): {
            name: entry.value
            for name, entry in event.materialization.metadata.items()
            if isinstance(entry, dg.IntMetadataValue) and entry.value is not None
        }
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def _problem(event: dg.DagsterEvent) -> str:
    """Return in one line why a step failed: the error that we raised, not how Dagster wrapped it."""
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return f"{event.step_key}: {data.user_failure_data.description}"
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return f"{event.step_key}: failed."
    kind = error.cls_name or "error"
    text = " ".join(error.message.partition(f"{kind}: ")[2].split())
    if kind in _kinds_of(MeterError):
        return f"{event.step_key}: {text}"
    return (
        f"{event.step_key}: failed in a way that was not foreseen ({kind}): {text} Its traceback is in the run's log"
        " (meter dev). Run `meter verify`; if it finds nothing, report this."
    )


def _kinds_of(kind: type[Exception]) -> set[str]:
    """Return the names of an error and of all its special kinds."""
    return {kind.__name__}.union(*(_kinds_of(special) for special in kind.__subclasses__()))
