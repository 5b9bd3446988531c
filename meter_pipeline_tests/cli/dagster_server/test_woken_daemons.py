"""The daemons go round when something changed, soon and not too often, and otherwise now and then."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._daemon.daemon import SensorDaemon
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from meter_pipeline.cli.dagster_server import changes, woken_daemons
from meter_pipeline.cli.dagster_server.woken_daemons import (
    AFTER_EVENTS_S,
    LOOKED_EVERY_S,
    QUEUE_AT_LEAST_EVERY_S,
    SAID_AGAIN,
    SENSORS_AT_LEAST_EVERY_S,
    WokenQueue,
    WokenSensors,
)
from meter_pipeline.defs.intervals import DECISION_INTERVAL_S, DROP_INTERVAL_S
from meter_pipeline.storage.layout import Layout

SOON = 2 * LOOKED_EVERY_S


class Clock(threading.Event):
    """Time that passes when a daemon waits; it is told to end when it is out."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.end = 100.0

    def monotonic(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        self.now += timeout or 0
        return self.now >= self.end


class World:
    """A data directory with an empty history, and a daemon over it."""

    def __init__(self, root: Path, clock: Clock) -> None:
        self.layout, self.clock = Layout(root), clock
        self.layout.drops.mkdir()
        self.home = root / "dagster_home"
        (self.home / "history" / "runs").mkdir(parents=True)
        self.written: dict[str, sqlite3.Connection] = {}
        for name in ("runs.db", "runs/index.db"):
            self.written[name] = sqlite3.connect(self.home / "history" / name)
            self.written[name].execute("PRAGMA journal_mode=WAL")
            self.written[name].execute("CREATE TABLE rows (id)")
        self.rounds: list[float] = []
        self.loop: Iterator[Any] = iter(())

    def round(self, *_args: object, **_named: object) -> Iterator[None]:
        self.rounds.append(self.clock.now)
        yield None

    def write(self, name: str) -> None:
        self.written[name].execute("INSERT INTO rows VALUES (1)")
        self.written[name].commit()

    def rounds_within(self, seconds: float) -> list[float]:
        """Let time pass, and return when the daemon went round, in seconds from now."""
        began, before = self.clock.now, len(self.rounds)
        while self.clock.now < began + seconds:
            next(self.loop)
        return [at - began for at in self.rounds[before:]]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    clock = Clock()
    clock.end = float("inf")
    for module in (changes, woken_daemons):
        monkeypatch.setattr(module, "time", clock)
    return World(tmp_path, clock)


@pytest.fixture
def sensors(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(woken_daemons, "execute_sensor_iteration", world.round)
    world.loop = WokenSensors({}, world.layout, world.home).core_loop(None, world.clock)  # type: ignore[arg-type]
    world.rounds_within(60)
    return world


@pytest.fixture
def queue(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(WokenQueue, "run_iteration", world.round)
    world.loop = WokenQueue(world.home).core_loop(None, world.clock)  # type: ignore[arg-type]
    world.rounds_within(60)
    return world


def test_with_nothing_to_do_sensors_are_asked_now_and_then(sensors: World) -> None:
    assert 3 <= len(sensors.rounds_within(4 * SENSORS_AT_LEAST_EVERY_S)) <= 4


@pytest.mark.parametrize("asked_before_s", [0.5, 1.0, 2.0, 2.9, 3.5, 20.0])
@pytest.mark.parametrize(
    ("waits_s", "seen_within_s"),
    [((0.0, 0.0), 10), ((0.4, 0.1), 10), ((0.1, 0.4), 10), ((2.5, 0.1), 16), ((0.2, 1.5), 16)],
)
def test_a_drop_is_complete_soon_whenever_its_sensor_was_asked_before(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    asked_before_s: float,
    waits_s: tuple[float, float],
    seen_within_s: int,
) -> None:
    """The sensor waits in its round for others, longer in one round than in the next; twice it must see the file."""
    asked: list[float] = []
    seen: list[float] = []

    def round_of_sensors(*_args: object, **_named: object) -> Iterator[None]:
        world.clock.now += waits_s[len(world.rounds) % 2]
        world.rounds.append(world.clock.now)
        if not asked or world.clock.now - asked[-1] >= DROP_INTERVAL_S:
            asked.append(world.clock.now)
            if (world.layout.drops / "may.csv").exists():
                seen.append(world.clock.now)
        yield None

    monkeypatch.setattr(woken_daemons, "execute_sensor_iteration", round_of_sensors)
    world.loop = WokenSensors({}, world.layout, world.home).core_loop(None, world.clock)  # type: ignore[arg-type]
    world.rounds_within(60)
    asked[-1] = world.clock.now - asked_before_s
    (world.layout.drops / "may.csv").write_text("url\n", encoding="utf-8")
    world.rounds_within(seen_within_s)
    assert len(seen) >= 2


def test_a_decision_wakes_the_sensors(sensors: World) -> None:
    (sensors.layout.decisions / "2026-11").mkdir(parents=True)
    first, second = sensors.rounds_within(DECISION_INTERVAL_S + 2)[:2]
    assert first <= SOON
    assert second - first > DECISION_INTERVAL_S, "the sensor had just been asked, or was at work"


def test_events_wake_them_soon_and_many_events_not_too_often(sensors: World) -> None:
    rounds: list[float] = []
    began = sensors.clock.now
    for _ in range(int(30 / LOOKED_EVERY_S)):
        sensors.write("runs/index.db")
        rounds += [sensors.clock.now - began + at for at in sensors.rounds_within(LOOKED_EVERY_S)]
    assert rounds[0] <= SOON
    assert 30 / (AFTER_EVENTS_S + SOON) <= len(rounds) <= 30 / AFTER_EVENTS_S + 1
    rounds = sensors.rounds_within(SENSORS_AT_LEAST_EVERY_S - 10)
    assert SAID_AGAIN <= len(rounds) <= SAID_AGAIN + 1, "and by sensors that had just been asked, or were at work"


def test_a_queued_run_is_looked_for_when_the_history_was_written_to(queue: World) -> None:
    assert len(queue.rounds_within(4 * QUEUE_AT_LEAST_EVERY_S)) <= 4
    for name in queue.written:
        queue.write(name)
        assert queue.rounds_within(3)[0] <= SOON


def test_an_error_of_a_round_is_said_and_the_next_round_comes(sensors: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_args: object, **_named: object) -> Iterator[None]:
        raise RuntimeError("told to fail")

    monkeypatch.setattr(woken_daemons, "execute_sensor_iteration", fails)
    sensors.rounds_within(SENSORS_AT_LEAST_EVERY_S + SOON)
    monkeypatch.setattr(woken_daemons, "execute_sensor_iteration", sensors.round)
    assert sensors.rounds_within(SENSORS_AT_LEAST_EVERY_S + SOON)


def test_all_daemons_that_the_instance_needs_are_there(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        daemons = woken_daemons.woken_daemons(instance, Layout(tmp_path), tmp_path)
        assert [daemon.daemon_type() for daemon in daemons] == list(instance.get_required_daemon_types())
    kinds = {daemon.daemon_type(): type(daemon) for daemon in daemons}
    assert kinds[SensorDaemon.daemon_type()] is WokenSensors
    assert kinds[QueuedRunCoordinatorDaemon.daemon_type()] is WokenQueue
