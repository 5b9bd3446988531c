"""A reload takes changed settings and code over, says what is wrong with them, and makes the next run's process anew.

In a process of its own: what is loaded anew there is not what other tests hold.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
SCRIPT = """
import json, os, threading
from dagster import AssetKey
from dagster._core.utils import FuturesAwareThreadPoolExecutor
from dagster._grpc.server import ListRepositoriesResponse
from dagster._grpc.__generated__ import dagster_api_pb2
from dagster._serdes import deserialize_value
from dagster_shared.error import SerializableErrorInfo
from meter_pipeline.cli.dagster_server import run_processes
from meter_pipeline.cli.dagster_server.served_code import ServedCode


def nothing():
    pass


def look(code):
    reply = code.ListRepositories(dagster_api_pb2.ListRepositoriesRequest(), None)
    found = deserialize_value(
        reply.serialized_list_repositories_response_or_error, (ListRepositoriesResponse, SerializableErrorInfo)
    )
    version, error = None, ""
    if isinstance(found, SerializableErrorInfo):
        error = found.to_string()
    else:
        (repository,) = code._loaded_repositories.definitions_by_name.values()
        version = repository.asset_graph.get(AssetKey("batch_predictions")).code_version
    pid = code._mp_ctx._waiting.process.pid
    return {"version": version, "error": error, "id": code._server_id, "pid": pid}


if __name__ == "__main__":
    run_processes.load_what_runs_need = nothing
    termination = threading.Event()
    code = ServedCode(termination, FuturesAwareThreadPoolExecutor(2))
    looks = [look(code)]
    for threshold in ("0.51", "no number", "0.52"):
        os.environ["METER_UNKNOWN_THRESHOLD"] = threshold
        code.ReloadCode(None, None)
        looks.append(look(code))
    code.cleanup()
    print(json.dumps(looks))
"""


def test_a_reload_takes_settings_over_and_says_what_is_wrong_with_them(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path), "METER_DATA_DIR": str(tmp_path / "data")}
    environment["PYTHONPATH"] = str(Path(__file__).parents[3])
    command = [sys.executable, str(tmp_path / "script.py")]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    first, changed, wrong, right = json.loads(ended.stdout.splitlines()[-1])
    assert len({look["version"] for look in (first, changed, right)}) == 3
    assert wrong["version"] is None
    assert "METER_UNKNOWN_THRESHOLD" in wrong["error"]
    assert [look["error"] for look in (first, changed, right)] == ["", "", ""]
    assert len({look["id"] for look in (first, changed, wrong, right)}) == 4, "by which the others notice"
    assert len({look["pid"] for look in (first, changed, wrong, right)}) == 4, "a process that has what was loaded"
