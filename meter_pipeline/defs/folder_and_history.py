"""Dagster's history follows the data folder: what is there is reported where the history lacks it or says otherwise.

A folder that was copied from another machine, a history that was lost, tables from a backup, a folder that another
history's `meter update` worked on: without this, automation waits for materializations that never come, and the UI
shows what is no longer so. Nothing is made by it: no run is started, and no event is written that says what is known.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData
from dagster._core.event_api import EventLogRecord
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES

from meter_pipeline.defs import made_from
from meter_pipeline.defs.folder_contents import ASSETS, UNREADABLE, Content, content_of
from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.library_errors import explained

_logger = logging.getLogger(__name__)
Seen = list[str]
"""Name of an asset, and data version of what the folder holds of it; a list, as JSON has it."""


@dataclass(frozen=True)
class Difference:
    """An asset of which the history does not say what the folder holds.

    Attributes:
        asset: its name.
        content: what the folder holds.
        recorded: the data version that the history has; None where it has none.
        made_from: what is noted of exactly this content; None where nothing is.
    """

    asset: str
    content: Content
    recorded: str | None
    made_from: made_from.Tags | None

    @property
    def seen(self) -> Seen:
        """What a later look compares it with."""
        return [self.asset, self.content.version]

    @property
    def kind(self) -> str:
        """What is the matter, for a person."""
        if self.content.problem:
            return "damaged"
        if not self.content.is_there:
            return "not in the data folder any more"
        return "not in the history" if self.recorded is None else "other content than the history has"


@dataclass(frozen=True)
class _Look:
    """What both say at one time: the folder's contents, and the last materializations.

    Assets that runs are at work on are left out.
    """

    contents: dict[str, Content]
    recorded: dict[str, EventLogRecord]


def note_what_is_there(instance: dg.DagsterInstance, layout: Layout) -> list[Difference]:
    """Let the history say what the data folder holds, and the folder from what that was made.

    What a run is at work on is left to the run, and what a run left half made to the next one.

    Args:
        instance: the history.
        layout: the data directory.

    Returns:
        What the history did not say before.
    """
    return note_what_stays(instance, layout)[1]


def note_what_stays(
    instance: dg.DagsterInstance, layout: Layout, seen: Sequence[Seen] | None = None
) -> tuple[list[Difference], list[Difference]]:
    """As `note_what_is_there`, but of what an earlier look saw too: a backup is restored file by file.

    Args:
        instance: the history.
        layout: the data directory.
        seen: what the earlier look found (`Difference.seen`); None: all is noted at once.

    Returns:
        What the history did not say before, and what of it is noted now.
    """
    look = _look(instance, layout)
    found = _differences(instance, layout, look)
    settled = [difference for difference in found if seen is None or difference.seen in seen]
    report(instance, layout, settled)
    _remember(layout, look)
    return found, settled


def differences(instance: dg.DagsterInstance, layout: Layout) -> list[Difference]:
    """Return in the graph's order of what the history does not say what the data folder holds."""
    return _differences(instance, layout, _look(instance, layout))


def remember(instance: dg.DagsterInstance, layout: Layout) -> None:
    """Note in the data folder from what its assets were made, as far as the history speaks of what is there."""
    _remember(layout, _look(instance, layout))


def report(instance: dg.DagsterInstance, layout: Layout, found: Sequence[Difference]) -> None:
    """Report to the history what the data folder holds, and whether what must hold of it does."""
    for difference in found:
        instance.report_runless_asset_event(_materialization(difference))
        _evaluate_checks(instance, layout, difference.asset)
    if found:
        _logger.info("Dagster's history now says what the data folder holds (%s).", shown(found))


def what_waits(layout: Layout) -> str:
    """Return for a person what no run will do by itself, though drops wait for it; empty where nothing does."""
    if layout.champion.exists():
        return ""
    return "There is no model in use yet: drops are read and fetched, and named after the first training (meter train)."


def shown(found: Sequence[Difference], most: int = 4) -> str:
    """Return for a person what differs."""
    by_kind: dict[str, list[str]] = {}
    for difference in found:
        by_kind.setdefault(difference.kind, []).append(difference.asset)
    return "; ".join(
        f"{kind}: {', '.join(assets[:most])}" + (f" and {len(assets) - most} more" if len(assets) > most else "")
        for kind, assets in by_kind.items()
    )


def _look(instance: dg.DagsterInstance, layout: Layout) -> _Look:
    under_way = _under_way(instance)  # first: a run that ends meanwhile has not told the history of its last table yet
    contents = {asset: _content(asset, layout) for asset in ASSETS if asset not in under_way}
    return _Look(contents, _recorded(instance))


def _differences(instance: dg.DagsterInstance, layout: Layout, look: _Look) -> list[Difference]:
    noted, found = made_from.noted(layout), []
    for asset, content in look.contents.items():
        event = look.recorded.get(asset)
        version = _version(event) if event else None
        if content.version == version or (version is None and not content.is_there):
            continue
        known = noted.get(asset)
        known = known if known is not None and known[made_from.DATA_VERSION] == content.version else None
        # A training is repeated by nobody: what stands after a failed one is what there is.
        if known is not None or asset not in _made_by_themselves() or not _was_interrupted(instance, asset, event):
            found.append(Difference(asset, content, version, known))
    return found


def _remember(layout: Layout, look: _Look) -> None:
    agreed = {
        asset: _tags(event)
        for asset, event in look.recorded.items()
        if asset in look.contents and look.contents[asset].version == _version(event)
    }
    made_from.note(layout, agreed)


def _content(asset: str, layout: Layout) -> Content:
    """Return what the folder holds of an asset, damaged or not: what is told of nowhere is waited for in silence."""
    try:
        return content_of(asset, layout)
    except Exception as error:
        if (said := explained(error, where=layout.root)) is None:
            raise
        return Content(UNREADABLE, is_there=True, problem=str(said))


def _recorded(instance: dg.DagsterInstance) -> dict[str, EventLogRecord]:
    """Return the last materialization of each asset that has one."""
    records = instance.get_asset_records([dg.AssetKey(asset) for asset in ASSETS])
    events = {r.asset_entry.asset_key.to_user_string(): r.asset_entry.last_materialization_record for r in records}
    return {asset: event for asset, event in events.items() if event is not None}


def _tags(event: EventLogRecord) -> dict[str, str]:
    materialization = event.asset_materialization
    return dict(materialization.tags or {}) if materialization else {}


def _version(event: EventLogRecord) -> str:
    return _tags(event).get(made_from.DATA_VERSION, "")


def _under_way(instance: dg.DagsterInstance) -> set[str]:
    """Return the assets that runs are at work on, or will be."""
    names: set[str] = set()
    for run in instance.get_runs(dg.RunsFilter(statuses=list(IN_PROGRESS_RUN_STATUSES))):
        names.update(key.to_user_string() for key in run.asset_selection or map(dg.AssetKey, ASSETS))
    return names


def _was_interrupted(instance: dg.DagsterInstance, asset: str, event: EventLogRecord | None) -> bool:
    """Return whether a run that has ended was to make the asset after what the history has of it, and did not."""
    planned = instance.event_log_storage.get_latest_planned_materialization_info(dg.AssetKey(asset))
    return planned is not None and (event is None or event.storage_id < planned.storage_id)


def _materialization(difference: Difference) -> dg.AssetMaterialization:
    content = difference.content
    if content.problem:
        says = f"The data folder holds it, but it cannot be read: {content.problem}"
    elif not content.is_there:
        says = "The data folder does not hold it any more."
    elif difference.made_from is None:
        says = (
            "Found in the data folder. From what it was made is not known: what keeps it up to date looks at it again."
        )
    else:
        says = "Found in the data folder."
    rows = {} if content.rows is None else {"dagster/row_count": content.rows}
    return dg.AssetMaterialization(
        difference.asset,
        description=f"{says} (No run of this history made it.)",
        metadata=rows,
        tags=made_from.as_tags(content.version, difference.made_from),
    )


def _evaluate_checks(instance: dg.DagsterInstance, layout: Layout, asset: str) -> None:
    """Report whether what must hold of an asset does: what is made from it waits for that."""
    pipeline = Pipeline(overrides={"data_dir": str(layout.root)})
    for check in _blocking_checks():
        (spec,) = check.check_specs
        if spec.asset_key == dg.AssetKey(asset):
            passed, said = _outcome(check, pipeline)
            target = _recorded(instance)[asset]
            instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(
                    asset_key=spec.asset_key,
                    check_name=spec.name,
                    passed=passed,
                    description=said,
                    blocking=True,
                    target_materialization_data=AssetCheckEvaluationTargetMaterializationData(
                        storage_id=target.storage_id, run_id=target.run_id, timestamp=target.timestamp
                    ),
                )
            )


def _outcome(check: dg.AssetChecksDefinition, pipeline: Pipeline) -> tuple[bool, str | None]:
    try:
        result = check(pipeline=pipeline)
    except Exception as error:
        if (said := explained(error, where=pipeline.layout.root)) is None:
            raise
        return False, str(said)
    assert isinstance(result, dg.AssetCheckResult)
    return result.passed, result.description


@cache
def _made_by_themselves() -> frozenset[str]:
    """Return the assets that have an automation condition: what a run left half made of them, the next one makes."""
    assets = [each for each in dg.load_assets_from_modules(_modules()) if isinstance(each, dg.AssetsDefinition)]
    return frozenset(key.to_user_string() for each in assets for key in each.automation_conditions_by_key)


def _modules() -> list[ModuleType]:
    from meter_pipeline.defs import batches, dataset, discovery, model, review

    return [dataset, model, batches, discovery, review]


@cache
def _blocking_checks() -> tuple[dg.AssetChecksDefinition, ...]:
    checks = dg.load_asset_checks_from_modules(_modules())
    return tuple(check for check in checks if all(spec.blocking for spec in check.check_specs))
