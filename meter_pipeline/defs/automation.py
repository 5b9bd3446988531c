"""When an asset runs by itself: while it was made from inputs other than what is there now.

Dagster's own conditions look at events (something was updated since I last looked), and an event that falls between a
request and the run's start is lost or makes a second run. This one looks at state: the input data versions and the code
version that Dagster wrote on the asset's last materialization, against the current ones. State cannot be missed, and an
asset that ran on what is there now is not requested again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import dagster as dg
from dagster import AssetKey, AutomationCondition, AutomationContext, AutomationResult, DagsterInstance

from meter_pipeline.defs.made_from import CODE_VERSION, DATA_VERSION, INPUT_VERSION

if TYPE_CHECKING:
    from dagster._core.asset_graph_view.asset_graph_view import AssetGraphView
    from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
    from dagster._core.event_api import EventLogRecord

REQUESTS_PER_CHANGE = 2
"""The first try and one retry; then the asset stays failed until its inputs or code change, or a person runs it."""

TRAINING_GROUPS = dg.AssetSelection.groups("dataset", "model")
"""A training may take an hour; no batch waits for it."""
NO_BATCH_WAITS_FOR = TRAINING_GROUPS | dg.AssetSelection.assets("reviewed_images")
"""A decision that comes while a drop is taken in must not part the drop's run in two; what it changes is made again."""


class MadeFromOlderInputs(AutomationCondition):
    """True while the asset is missing or was made from other inputs or code than there are now.

    The same change is requested at most `REQUESTS_PER_CHANGE` times, the second time only if the run failed: a failure
    is retried once, and a run that a person cancelled does not come back by itself.
    """

    @property
    def name(self) -> str:
        """Label in the UI's evaluation view."""
        return "made_from_older_inputs"

    def evaluate(self, context: AutomationContext) -> AutomationResult:
        """Compare the asset's last materialization with what is there now."""
        made = _what_is_made(context.asset_graph_view)
        change = made.pending_change(context.key)
        if change is None:
            return AutomationResult(context, context.get_empty_subset(), cursor=json.dumps([None, 0]))
        failed_run = made.last_failed_run(context.key)
        seen_change, tries = json.loads(context.cursor) if context.cursor else (None, 0)
        requested_before = context.get_previous_requested_subset(context.key)
        if requested_before is not None and not requested_before.is_empty:
            tries += 1
        if seen_change != change:
            # If the run that made these inputs was also to make this asset and failed at it, that was the first try.
            tries = int(failed_run is not None and failed_run in made.runs_that_made_inputs(context.key))
        wanted = tries == 0 or (tries < REQUESTS_PER_CHANGE and failed_run is not None)
        subset = context.candidate_subset if wanted else context.get_empty_subset()
        return AutomationResult(context, subset, cursor=json.dumps([change, tries]))


class ChainUnderWay(AutomationCondition):
    """True while a run is at work on any asset of a chain, also for those assets that the run has already made.

    Without it the chain's first assets would be requested again while the run is still at its last ones: a drop that
    arrives then would be taken in by two runs.
    """

    def __init__(self, chain: Sequence[str]) -> None:
        self.chain = [AssetKey(name) for name in chain]

    @property
    def name(self) -> str:
        """Label in the UI's evaluation view."""
        return "chain_under_way"

    async def evaluate(self, context: AutomationContext) -> AutomationResult:  # type: ignore[override]
        """Look for a chain asset in progress."""
        view = context.asset_graph_view
        for key in self.chain:
            there = view.get_full_subset(key=key)
            if not (await view.compute_run_in_progress_subset(key=key, from_subset=there)).is_empty:
                return AutomationResult(context, context.candidate_subset)
        return AutomationResult(context, context.get_empty_subset())


class _WhatIsMade:
    """The last materialization of each asset and the data versions there are, asked for once in a look at all assets.

    Args:
        instance: the history.
        graph: the assets.
    """

    def __init__(self, instance: DagsterInstance, graph: BaseAssetGraph) -> None:
        self._instance, self._graph = instance, graph

    def pending_change(self, key: AssetKey) -> str | None:
        """Return the change that an asset has not taken in yet, as a short hash; None if it is up to date.

        The hash stays the same as long as the inputs and the code do, so that the tries at one change can be counted.
        """
        node = self._graph.get(key)
        current = {parent.to_user_string(): self._data_version(parent) for parent in sorted(node.parent_keys)}
        now = {"code": node.code_version, "inputs": current}
        event = self._materializations.get(key)
        tags = (event.asset_materialization.tags or {}) if event and event.asset_materialization else None
        if tags is not None:
            made_from = {
                "code": tags.get(CODE_VERSION),
                "inputs": {name: tags.get(INPUT_VERSION + name) for name in current},
            }
            if made_from == now:
                return None
        return hashlib.sha256(json.dumps([now, tags is None], sort_keys=True).encode()).hexdigest()[:16]

    def last_failed_run(self, key: AssetKey) -> str | None:
        """Return the id of the last run that was to make the asset, if it failed before it made it."""
        planned = self._instance.event_log_storage.get_latest_planned_materialization_info(key)
        run = self._instance.get_run_by_id(planned.run_id) if planned else None
        if run is None or run.status != dg.DagsterRunStatus.FAILURE:
            return None
        event = self._materializations.get(key)
        return None if event and event.run_id == run.run_id else run.run_id

    def runs_that_made_inputs(self, key: AssetKey) -> set[str]:
        """Return the runs that the current inputs of an asset are from."""
        events = (self._materializations.get(parent) for parent in self._graph.get(key).parent_keys)
        return {event.run_id for event in events if event}

    def _data_version(self, key: AssetKey) -> str | None:
        """Return the current data version of an asset, as Dagster records it for its readers."""
        if self._graph.get(key).is_external:
            return self._observed.get(key)
        event = self._materializations.get(key)
        return (event.event_log_entry.tags or {}).get(DATA_VERSION) if event else None

    @cached_property
    def _materializations(self) -> dict[AssetKey, EventLogRecord]:
        keys = sorted(self._graph.materializable_asset_keys)
        last = {
            record.asset_entry.asset_key: record.asset_entry.last_materialization_record
            for record in self._instance.get_asset_records(keys)
        }
        return {key: event for key, event in last.items() if event is not None}

    @cached_property
    def _observed(self) -> dict[AssetKey, str | None]:
        versions: dict[AssetKey, str | None] = {}
        for key in self._graph.external_asset_keys:
            record = self._instance.get_latest_data_version_record(key, is_source=True)
            versions[key] = (record.event_log_entry.tags or {}).get(DATA_VERSION) if record else "INITIAL"
        return versions


@lru_cache(maxsize=1)
def _what_is_made(view: AssetGraphView) -> _WhatIsMade:
    """Return what is made as of one look at all assets: each look has a view of its own."""
    return _WhatIsMade(view.instance, view.asset_graph)


def when_inputs_change(
    *, not_waiting_for: dg.AssetSelection | None = None, together_with: dg.AssetSelection | None = None
) -> AutomationCondition:
    """Run once for each change of the inputs' content, after what makes them is done.

    Args:
        not_waiting_for: inputs whose runs are not waited for: a training of an hour must not hold up a batch.
        together_with: inputs that are made in the same run as this asset, when they are made again.
    """
    requested = AutomationCondition.any_deps_match(AutomationCondition.will_be_requested())
    if together_with is None:
        trigger: AutomationCondition = MadeFromOlderInputs()
    else:
        trigger, requested = MadeFromOlderInputs() | requested.allow(together_with), requested.ignore(together_with)
    return (trigger & _ready(not_waiting_for) & ~requested).with_label("inputs_changed")


def with_the_batch(chain: Sequence[str], *, not_waiting_for: dg.AssetSelection | None = None) -> AutomationCondition:
    """Run once for each change of the inputs' content, in the same run as the inputs that are being made again.

    For the chain that somebody is waiting for: one run per stage would cost a tick and a process start each.

    Args:
        chain: the assets that are made in one run.
        not_waiting_for: see `when_inputs_change`.
    """
    upstream_in_this_run = AutomationCondition.any_deps_match(AutomationCondition.will_be_requested())
    trigger = MadeFromOlderInputs() | upstream_in_this_run
    ready = _ready(not_waiting_for) & ~ChainUnderWay(chain)
    return (trigger & ready).with_label("inputs_changed_or_with_the_batch")


def _ready(not_waiting_for: dg.AssetSelection | None) -> AutomationCondition:
    in_progress = AutomationCondition.any_deps_in_progress()
    # A dependency that this tick requests brings its checks along and they hold up its dependents within the run, so
    # only the others need to have passed already. (Dagster's own condition asks whether the *check* is requested.)
    checked = AutomationCondition.all_deps_match(
        AutomationCondition.all_checks_match(AutomationCondition.check_passed(), blocking_only=True)
        | AutomationCondition.will_be_requested()
    )
    return (
        ~AutomationCondition.in_progress()
        & ~(in_progress.ignore(not_waiting_for) if not_waiting_for else in_progress)
        & ~AutomationCondition.any_deps_missing()
        & checked.with_label("all_deps_blocking_checks_passed")
    )
