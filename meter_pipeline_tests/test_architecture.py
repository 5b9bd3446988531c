"""Imports go one way, start-up stays light, and both ways of loading the graph name the same place."""

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

PACKAGE = Path(__file__).resolve().parents[1] / "meter_pipeline"
PROJECT = PACKAGE.parent
BENCHMARKS = PROJECT / "benchmarks"

ALLOWED = {
    "errors": set(),
    "settings": {"errors"},
    "core": {"errors", "settings", "core"},
    "defs": {"errors", "settings", "core", "defs"},
    "dashboard": {"errors", "settings", "core", "dashboard"},
    "demo": {"errors", "settings", "core", "demo"},
}
"""Which parts of the package each part may import; everything else (cli, definitions, ...) may import all."""

FORBIDDEN_PACKAGES = {
    "core": {"dagster", "streamlit", "typer"},
    "demo": {"dagster", "streamlit"},
    "defs": {"streamlit"},
}
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


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    used = imports(path)
    own = {name.split(".")[1] for name in used if name.startswith("meter_pipeline.")}
    assert own <= ALLOWED.get(part, own)
    assert not {name.split(".")[0] for name in used} & FORBIDDEN_PACKAGES.get(part, set())


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_says_what_it_is_for_and_is_not_called_utils(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert path.stem not in {"utils", "util", "helpers", "common", "misc", "manager"}


def timed_import(statement: str) -> tuple[float, list[str]]:
    code = (
        f"import time, sys, json; t = time.perf_counter(); {statement}; "
        "print(json.dumps([time.perf_counter() - t, list(sys.modules)]))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    seconds, modules = json.loads(output.splitlines()[-1])
    return seconds, modules


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


@pytest.mark.parametrize("script", sorted(BENCHMARKS.glob("*.py")), ids=lambda path: path.stem)
def test_benchmarks_use_names_that_exist(script: Path) -> None:
    """They run for half an hour and only now and then: once one had been importing a name that had moved."""
    imports = [node for node in ast.walk(ast.parse(script.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)]
    ours = [(node.module, name.name) for node in imports for name in node.names if str(node.module).startswith("meter")]
    assert ours
    for module, name in ours:
        assert hasattr(importlib.import_module(str(module)), name), f"{module}.{name}"
