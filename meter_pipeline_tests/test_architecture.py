"""Start-up stays light, packages say what belongs in them, and both ways of loading the graph name the same place.

That imports go one way is held by import-linter (`[tool.importlinter]` in pyproject.toml).
"""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from meter_pipeline.cli.dagster_server.code_address import LOCATION, MODULE

PACKAGE = Path(__file__).resolve().parents[1] / "meter_pipeline"
PROJECT = PACKAGE.parent
BENCHMARKS = PROJECT / "benchmarks"

HEAVY = {
    "torch",
    "torchvision",
    "timm",
    "pandas",
    "sklearn",
    "umap",
    "hdbscan",
    "numba",
    "matplotlib",
    "scipy",
    "duckdb",
}
IMPORT_BUDGET_S = 2.0


def test_every_package_says_what_belongs_in_it_and_no_module_is_called_utils() -> None:
    for path in sorted(PACKAGE.rglob("*.py")):
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert said, path
        assert path.name != "__init__.py" or len(said) >= 80, f"{path}: say what belongs here, and what does not"
        assert path.stem not in {"utils", "util", "helpers", "common", "misc", "manager", "core"}, path


def timed_import(statement: str) -> tuple[float, list[str]]:
    code = (
        f"import time, sys, json; t = time.perf_counter(); {statement}; "
        "print(json.dumps([time.perf_counter() - t, list(sys.modules)]))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    seconds, modules = json.loads(output.splitlines()[-1])
    return seconds, modules


@pytest.mark.slow
def test_the_graph_loads_without_the_heavy_packages_and_soon() -> None:
    timed_import("import meter_pipeline.definitions")  # writes the byte code
    alone = min(timed_import("import dagster")[0] for _ in range(3))
    runs = [timed_import("import meter_pipeline.definitions") for _ in range(3)]
    assert not HEAVY & set(runs[0][1])
    assert min(seconds for seconds, _ in runs) - alone < IMPORT_BUDGET_S


def test_workspace_and_pyproject_name_the_same_module_and_location() -> None:
    workspace = yaml.safe_load((PROJECT / "workspace.yaml").read_text(encoding="utf-8"))
    entry = workspace["load_from"][0]["python_module"]
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["dg"]["project"]
    assert entry["module_name"] == project["code_location_target_module"] == "meter_pipeline.definitions"
    assert entry["location_name"] == project["code_location_name"] == "meter_pipeline"
    assert (MODULE, LOCATION) == ("meter_pipeline.definitions", "meter_pipeline")


@pytest.mark.parametrize("script", sorted(BENCHMARKS.glob("*.py")), ids=lambda path: path.stem)
def test_benchmarks_use_names_that_exist(script: Path) -> None:
    """They run for half an hour and only now and then: once one had been importing a name that had moved."""
    imports = [node for node in ast.walk(ast.parse(script.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)]
    ours = [(node.module, name.name) for node in imports for name in node.names if str(node.module).startswith("meter")]
    is_script = "__main__" in script.read_text("utf-8")  # a part of one may count photos alone
    assert ours or not is_script
    for module, name in ours:
        assert hasattr(importlib.import_module(str(module)), name), f"{module}.{name}"
