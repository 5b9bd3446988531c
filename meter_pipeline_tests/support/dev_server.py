"""A running `meter dev`: what its web UI answers, and waiting for what it does by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from meter_pipeline_tests.support.commands import METER, environment, free_port

DONE = {"SUCCESS", "FAILURE", "CANCELED"}
PATIENCE_S = 300
QUIET_S = 5
"""Longer than from what one run wrote to the next one's being queued."""


class Dev:
    """A running `meter dev`."""

    def __init__(self, data_dir: Path, port: int, process: subprocess.Popen[str]) -> None:
        self.data_dir, self.port, self.process = data_dir, port, process
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)["data"]  # type: ignore[no-any-return]

    def runs(self) -> list[dict[str, Any]]:
        answer = self.ask(
            "{runsOrError(limit: 50) {... on Runs {results {runId status jobName assetSelection {path}}}}}"
        )
        return answer["runsOrError"]["results"]  # type: ignore[no-any-return]

    def selections(self, known: set[str]) -> list[set[str]]:
        """Return what the runs that are not among `known` were to make, oldest first."""
        new = [run for run in reversed(self.runs()) if run["runId"] not in known]
        return [{asset["path"][-1] for asset in run["assetSelection"] or []} for run in new]

    def until(self, what: Callable[[], Any]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not what():
            assert self.process.poll() is None, "meter dev ended"
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.5)

    def settle(self) -> None:
        """Wait until nothing runs, all that makes itself is made of what is there, and so for some ticks."""
        quiet_since = time.monotonic()
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() - quiet_since < QUIET_S:
            assert time.monotonic() < deadline, f"waits for {self.not_made()}"
            if any(run["status"] not in DONE for run in self.runs()) or self.not_made():
                quiet_since = time.monotonic()
            time.sleep(1)

    def not_made(self) -> dict[str, str]:
        """Return the assets that make themselves and are missing or older than what they are made from."""
        answer = self.ask("{assetNodes {assetKey {path} groupName staleStatus}}")
        return {
            node["assetKey"]["path"][-1]: node["staleStatus"]
            for node in answer["assetNodes"]
            if node["groupName"] in {"batches", "discovery", "review"} and node["staleStatus"] != "FRESH"
        }

    def stale(self, asset: str) -> str:
        answer = self.ask(f'{{assetNodes(assetKeys: [{{path: ["{asset}"]}}]) {{staleStatus}}}}')
        return str(answer["assetNodes"][0]["staleStatus"])

    def launch(self, job: str) -> str:
        """Launch a job as its launchpad does; return the run's id."""
        answer = self.ask(
            "mutation($params: ExecutionParams!) {launchRun(executionParams: $params) {__typename ... on"
            " LaunchRunSuccess {run {runId}} ... on PythonError {message}}}",
            params={
                "selector": {
                    "repositoryName": "__repository__",
                    "repositoryLocationName": "meter_pipeline",
                    "jobName": job,
                },
                "runConfigData": {},
                "mode": "default",
            },
        )["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def status(self, run_id: str) -> str:
        """Return the status of a run."""
        return next(str(run["status"]) for run in self.runs() if run["runId"] == run_id)


@contextmanager
def running_dev(data_dir: Path) -> Iterator[Dev]:
    """Start `meter dev`, wait until it answers, and end it as Ctrl-C does; nothing may be left running."""
    port = free_port()
    process = subprocess.Popen(
        [*METER, "dev", "--port", str(port)],
        env=environment(data_dir),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    server = Dev(data_dir, port, process)

    def is_up() -> bool:
        try:
            return "repositoriesOrError" in server.ask("{repositoriesOrError {__typename}}")
        except OSError:
            return False

    server.until(is_up)
    yield server
    if process.poll() is None:
        children = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGINT)
        process.wait(60)
        _gone, alive = psutil.wait_procs(children, timeout=10)
        assert not alive, f"still running after Ctrl-C: {alive}"
