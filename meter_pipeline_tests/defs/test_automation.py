"""When things run by themselves: the project's conditions on a small stand-in graph, on a real ephemeral instance.

The stand-in has the shape of the real graph (drops, a chain that somebody waits for, a champion from training, clusters
after it), and assets that do nothing but return the data version they are told to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import dagster as dg
import pytest

from meter_pipeline.defs.automation import when_inputs_change, with_the_batch

pytestmark = pytest.mark.slow

CHAIN = ["rows", "images", "features", "predictions", "unknown"]
TRAINING = dg.AssetSelection.assets("champion")


@dataclass
class World:
    """The stand-in graph, what its assets return, and what ran."""

    instance: dg.DagsterInstance
    drops: str = "none"
    unknown: str = "u1"
    champion: str = "c1"
    failing: str | None = None
    check_passes: bool = True
    arrives_during_run: str | None = None
    code: str = "1"
    ran: list[str] = field(default_factory=list)
    cursor: dg.AssetDaemonCursor | None = None  # type: ignore[name-defined]

    def definitions(self) -> dg.Definitions:
        chain = with_the_batch(CHAIN, not_waiting_for=TRAINING)
        after = when_inputs_change(not_waiting_for=TRAINING)
        with_clusters = when_inputs_change(not_waiting_for=TRAINING, together_with=dg.AssetSelection.assets("clusters"))
        versions: dict[str, tuple[list[str], dg.AutomationCondition | None, Callable[[], str]]] = {
            "champion": ([], None, lambda: self.champion),
            "rows": (["excel_drops"], chain, lambda: self.drops),
            "images": (["rows"], chain, lambda: self.drops),
            "features": (["images", "champion"], chain, lambda: self.drops + self.champion),
            "predictions": (["rows", "features"], chain, lambda: self.drops + self.champion),
            "unknown": (["predictions"], chain, lambda: self.unknown),
            "clusters": (["unknown"], after, lambda: self.unknown),
            "folders": (["clusters", "unknown"], with_clusters, lambda: self.unknown),
            "map": (["clusters", "unknown", "folders"], after, lambda: self.unknown),
        }

        def stand_in(name: str) -> dg.AssetsDefinition:
            deps, condition, version = versions[name]

            @dg.asset(name=name, deps=deps, automation_condition=condition, code_version=self.code)
            def body() -> dg.MaterializeResult:
                self.ran.append(name)
                if name == "images" and self.arrives_during_run:
                    arrived, self.arrives_during_run = self.arrives_during_run, None
                    self.observe(arrived)
                if self.failing == name:
                    raise RuntimeError("told to fail")
                return dg.MaterializeResult(data_version=dg.DataVersion(version()))

            return body

        @dg.asset_check(asset="predictions", blocking=True)
        def one_prediction_per_row() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=self.check_passes)

        @dg.observable_source_asset
        def excel_drops() -> dg.DataVersion:
            return dg.DataVersion(self.drops)

        return dg.Definitions(assets=[excel_drops, *map(stand_in, versions)], asset_checks=[one_prediction_per_row])

    def observe(self, version: str) -> None:
        self.drops = version
        self.instance.report_runless_asset_event(
            dg.AssetObservation("excel_drops", tags={"dagster/data_version": version})
        )

    def train(self, version: str) -> None:
        self.champion = version
        job = self.definitions().resolve_implicit_global_asset_job_def()
        job.execute_in_process(instance=self.instance, asset_selection=[dg.AssetKey("champion")])

    def tick(self) -> list[str]:
        """Evaluate the conditions once, run what they ask for in one run, return what ran."""
        definitions = self.definitions()
        result = dg.evaluate_automation_conditions(definitions, self.instance, cursor=self.cursor)
        self.cursor = result.cursor
        wanted = [r.key for r in result.results if result.get_num_requested(r.key)]
        self.ran.clear()
        if wanted:
            job = definitions.resolve_implicit_global_asset_job_def()
            job.execute_in_process(instance=self.instance, asset_selection=wanted, raise_on_error=False)
        return list(self.ran)

    def settle(self) -> None:
        """Tick until nothing runs."""
        for _ in range(10):
            if not self.tick():
                return
        raise AssertionError("it runs for ever")


@pytest.fixture
def world() -> Iterator[World]:
    with dg.DagsterInstance.ephemeral() as instance:
        world = World(instance)
        world.tick()
        yield world


@pytest.fixture
def running(world: World) -> World:
    world.observe("d1")
    world.train("c1")
    world.settle()
    return world


def test_without_a_champion_a_drop_is_read_and_fetched_and_then_waits(world: World) -> None:
    world.observe("d1")
    assert world.tick() == ["rows", "images"]
    assert world.tick() == []
    world.train("c1")
    assert world.tick() == ["features", "predictions", "unknown"]
    assert world.tick() == ["clusters", "folders"]
    assert world.tick() == ["map"]


def test_a_drop_is_one_run_and_discovery_follows_only_if_the_unknown_changed(running: World) -> None:
    running.observe("d2")
    assert running.tick() == CHAIN
    assert running.tick() == []
    running.unknown = "u2"
    running.observe("d3")
    assert running.tick() == CHAIN
    assert running.tick() == ["clusters", "folders"]
    assert running.tick() == ["map"]  # in a run of its own, which holds up no drop
    assert running.tick() == []


def test_a_drop_that_arrives_between_request_and_run_is_neither_lost_nor_done_twice(running: World) -> None:
    running.observe("d2")
    result = dg.evaluate_automation_conditions(running.definitions(), running.instance, cursor=running.cursor)
    running.cursor = result.cursor
    running.observe("d3")  # the request is out, the run has not started
    job = running.definitions().resolve_implicit_global_asset_job_def()
    job.execute_in_process(instance=running.instance, asset_selection=[dg.AssetKey(name) for name in CHAIN])
    assert running.tick() == []
    assert running.instance.get_latest_materialization_event(dg.AssetKey("predictions")) is not None


def test_a_drop_that_arrives_during_a_run_makes_one_more_run(running: World) -> None:
    running.observe("d2")
    running.arrives_during_run = "d3"
    assert running.tick() == CHAIN
    assert running.tick() == CHAIN
    assert running.tick() == []


def test_a_drop_that_arrives_when_half_of_the_chain_is_done_waits_for_the_other_half(running: World) -> None:
    """Once the first half was asked for alone, since it was done with, and the drop took two runs."""
    definitions = running.definitions()
    job = definitions.resolve_implicit_global_asset_job_def()
    run = running.instance.create_run_for_job(
        job.get_subset(asset_selection={dg.AssetKey(name) for name in CHAIN[2:]}),
        asset_selection=frozenset(dg.AssetKey(name) for name in CHAIN[2:]),
        status=dg.DagsterRunStatus.STARTED,
    )
    running.observe("d2")
    assert running.tick() == []
    running.instance.report_run_failed(run)
    assert running.tick() == CHAIN


def test_the_same_listing_again_runs_nothing(running: World) -> None:
    running.observe("d1")
    assert running.tick() == []


def test_a_new_champion_reruns_the_network_and_what_follows_but_fetches_nothing(running: World) -> None:
    running.train("c2")
    assert running.tick() == ["features", "predictions", "unknown"]
    assert running.tick() == []


def test_a_training_that_keeps_the_champion_reruns_nothing(running: World) -> None:
    running.train("c1")
    assert running.tick() == []


def test_a_failure_is_retried_once_and_not_for_ever(running: World) -> None:
    running.failing = "images"
    running.observe("d2")
    assert running.tick() == ["rows", "images"]
    assert running.tick() == ["images"]
    assert [running.tick() for _ in range(3)] == [[], [], []]
    running.failing = None
    running.observe("d3")
    assert running.tick() == CHAIN


def test_a_failed_blocking_check_holds_up_what_comes_after_until_it_passes(running: World) -> None:
    running.check_passes = False
    running.unknown = "u2"
    running.observe("d2")
    assert running.tick() == ["rows", "images", "features", "predictions"]
    assert running.tick() == []
    running.check_passes = True
    running.observe("d3")
    assert running.tick() == CHAIN


def test_a_changed_code_version_reruns(running: World) -> None:
    running.code = "2"
    assert running.tick()[: len(CHAIN)] == CHAIN
    running.settle()


def test_nothing_trains_by_itself(running: World) -> None:
    running.observe("d9")
    running.settle()
    assert "champion" not in running.ran
