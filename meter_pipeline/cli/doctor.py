"""Checks a set-up from Python to disk space, and says what to do about each problem."""

from __future__ import annotations

import importlib.metadata
import re
import shlex
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from meter_pipeline.errors import MeterError
from meter_pipeline.settings import SETTINGS_FILE, Settings, load_settings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.library_errors import explained

State = Literal["ok", "warn", "fail"]
DISK_FREE_WARN_GB = 5.0
MIN_PYTHON = (3, 11)
PROXY_TIMEOUT_S = 5.0
_PASSWORD = re.compile(r"^\s*\w*PASSWORD\s*=\s*\S|://[^/\s]*@", re.IGNORECASE | re.MULTILINE)
SHOWN_PROBLEMS = 3
"""Problems of one kind that are spelled out before the rest is counted."""
PACKAGES = ("dagster", "torch", "torchvision", "pandas", "pyarrow", "duckdb", "faiss-cpu", "umap-learn")


@dataclass(frozen=True)
class Finding:
    """What a check found."""

    name: str
    state: State
    found: str
    fix: str = ""


def examine() -> list[Finding]:
    """Run every check; one that fails does not keep the others from running."""
    findings = [_python(), *_packages()]
    try:
        settings = load_settings()
    except MeterError as error:
        return [*findings, Finding("settings", "fail", error.what, error.fix)]
    findings.append(Finding("settings", "ok", f"{settings.data_dir / SETTINGS_FILE} and METER_* variables"))
    checks: tuple[Callable[[Settings], Finding], ...] = (
        _data_directory,
        _disk,
        _kept_outputs,
        _dagster_home,
        _other_users,
        _history_and_folder,
        _labelled_photos,
        _proxy,
        _accelerator,
        _weights,
        _champion,
        _gate,
        _decisions,
        _promotion,
        _plates,
    )
    return findings + [_guarded(check, settings) for check in checks]


def _guarded(check: Callable[[Settings], Finding], settings: Settings) -> Finding:
    from meter_pipeline.defs.history_errors import history_error

    name = check.__name__.strip("_").replace("_", " ")
    try:
        return check(settings)
    except MeterError as error:
        return Finding(name, "fail", error.what, error.fix)
    except Exception as error:
        said = history_error(error) or explained(error, where=settings.data_dir)
        if said is None:
            return Finding(name, "fail", f"{type(error).__name__}: {error}", "Run `meter verify`, or report this.")
        return Finding(name, "fail", f"{said.what} [{said.where}]", said.fix)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < MIN_PYTHON:
        return Finding("Python", "fail", version, "Install Python 3.11 or newer and make the venv again.")
    return Finding("Python", "ok", f"{version} ({sys.executable})")


def _packages() -> list[Finding]:
    missing, found = [], []
    for package in PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(package)
    if missing:
        return [Finding("packages", "fail", f"missing: {', '.join(missing)}", "Install again as the README says.")]
    return [Finding("packages", "ok", ", ".join(found))]


def _data_directory(settings: Settings) -> Finding:
    layout = Layout(settings.data_dir)
    layout.prepare()
    try:
        with tempfile.NamedTemporaryFile(dir=settings.data_dir, prefix=".tmp-doctor-"):
            pass
    except OSError as error:
        return Finding(
            "data directory",
            "fail",
            f"{settings.data_dir}: {error.strerror}",
            "Give this user the right to write there, or set METER_DATA_DIR to a folder that is writable.",
        )
    if layout.erasing.exists():
        return Finding(
            "data directory",
            "warn",
            "an erasure is under way, or was cut off",
            "If none is running, run the same `meter erase` again: it takes the rest.",
        )
    return Finding("data directory", "ok", str(settings.data_dir))


def _other_users(settings: Settings) -> Finding:
    from meter_pipeline.defs.instance import FOLDERS, home_of
    from meter_pipeline.storage.private_folders import open_to_others

    home, file = home_of(settings.data_dir), settings.data_dir / SETTINGS_FILE
    has_password = file.is_file() and _PASSWORD.search(file.read_text(encoding="utf-8", errors="replace"))
    files = [file] if has_password else []
    found = open_to_others([settings.data_dir, *files, *(home / name for name in FOLDERS)])
    if found:
        shown = " ".join(shlex.quote(str(path)) for path in found)
        return Finding(
            "other users", "warn", f"every user of this machine may read {shown}", f"Type: chmod o-rwx {shown}"
        )
    return Finding("other users", "ok", "they read nothing of the data directory and of Dagster's history")


def _disk(settings: Settings) -> Finding:
    free_gb = shutil.disk_usage(settings.data_dir).free / 1e9
    if free_gb < DISK_FREE_WARN_GB:
        return Finding("disk", "warn", f"{free_gb:.1f} GB free", "Free some space: photos and features need room.")
    return Finding("disk", "ok", f"{free_gb:.0f} GB free")


def _kept_outputs(settings: Settings) -> Finding:
    from meter_pipeline.training.cache_limit import BYTES_PER_GB, kept_files

    folder = Layout(settings.data_dir).trunk
    size = sum(each.bytes for each in kept_files(folder)) / BYTES_PER_GB
    return Finding("kept outputs", "ok", f"{size:.1f} GB of {settings.trunk_cache_gb:g} in {folder}")


def _dagster_home(settings: Settings) -> Finding:
    from meter_pipeline.defs.history_errors import MEND, damaged_databases
    from meter_pipeline.defs.instance import prepare_home

    home = prepare_home(settings.data_dir)
    for path, problem in damaged_databases(home, logs=False):
        return Finding("Dagster history", "fail", f"damaged: {problem} [{path}]", MEND)
    return Finding("Dagster history", "ok", str(home))


def _history_and_folder(settings: Settings) -> Finding:
    import dagster as dg

    from meter_pipeline.defs.folder_and_history import differences, shown
    from meter_pipeline.defs.instance import prepare_home

    prepare_home(settings.data_dir)
    with dg.DagsterInstance.get() as instance:
        found = differences(instance, Layout(settings.data_dir))
    if found:
        fix = "Nothing is lost: meter dev and meter update tell the history, and make anew what follows from it."
        return Finding("history and folder", "warn", shown(found), fix)
    return Finding("history and folder", "ok", "the history says what the data folder holds")


def _labelled_photos(settings: Settings) -> Finding:
    raw = Layout(settings.data_dir).raw
    classes = sorted(path for path in raw.iterdir() if path.is_dir())
    photos = sum(1 for folder in classes for path in folder.rglob("*") if path.is_file())
    found = f"{photos} file(s) in {len(classes)} class folder(s) under {raw}"
    if len(classes) < 2:
        return Finding("labelled photos", "warn", found, f"Put photos into {raw / '<CLASS>'}, two classes at least.")
    return Finding("labelled photos", "ok", found)


def _proxy(settings: Settings) -> Finding:
    from meter_pipeline.ingest.web.proxies import Proxy

    if settings.download_proxy is None:
        return Finding("proxy", "ok", "none: photos are fetched directly")
    proxy = Proxy.of(settings.download_proxy.get_secret_value())
    try:
        socket.create_connection(proxy.address, timeout=PROXY_TIMEOUT_S).close()
    except OSError as error:
        found = f"{proxy.name} does not answer ({error.strerror or error})"
        return Finding("proxy", "fail", found, "Correct METER_DOWNLOAD_PROXY, or ask who runs the proxy.")
    return Finding("proxy", "ok", f"photos are fetched through {proxy.name}")


def _accelerator(_settings: Settings) -> Finding:
    import torch

    if torch.cuda.is_available():
        return Finding("accelerator", "ok", torch.cuda.get_device_name(0))
    return Finding("accelerator", "ok", f"none; the CPU is used ({torch.get_num_threads()} threads)")


def _weights(settings: Settings) -> Finding:
    from meter_pipeline.recognition.network.backbones import load_backbone

    backbone = load_backbone(settings.backbone, settings.weights)
    return Finding("weights", "ok", f"{settings.backbone}: {backbone.weights_source}")


def _champion(settings: Settings) -> Finding:
    from meter_pipeline.recognition.model_store import load_model
    from meter_pipeline.recognition.plate_reading import require_plate_reader

    layout = Layout(settings.data_dir)
    if not Path(layout.champion).exists():
        return Finding("champion model", "warn", "none yet", "Train one: meter train")
    model = load_model(layout)
    engine = model.engine.name
    if model.reads_plates:
        require_plate_reader()
    reads = ", reads plates" if model.reads_plates else ""
    return Finding("champion model", "ok", f"{model.version}, {len(model.classes)} classes{reads}, answers by {engine}")


def _gate(settings: Settings) -> Finding:
    from meter_pipeline.evaluation.gate_report import challenger_problems
    from meter_pipeline.recognition.model_card import challenger_version

    layout = Layout(settings.data_dir)
    if problems := challenger_problems(layout):
        version = challenger_version(layout)
        fix = f"Look: meter model show {version}. Use it all the same: meter model accept {version} --why TEXT."
        return Finding("gate", "warn", _some(problems), f"{fix} Otherwise correct the photos and train again.")
    return Finding("gate", "ok", "no model waits for a person")


def _decisions(settings: Settings) -> Finding:
    from meter_pipeline.review.reviewed_images import current_state, decision_problems

    layout = Layout(settings.data_dir)
    if problems := decision_problems(layout):
        return Finding("decisions", "warn", _some(problems), "They stop nothing: all other decisions are taken in.")
    state = current_state(layout)
    return Finding("decisions", "ok", f"{len(state.order)} on {len(state.words)} photo(s), all can be read")


def _promotion(settings: Settings) -> Finding:
    from meter_pipeline.review.overview import look_at_review
    from meter_pipeline.review.promoted_images import promotion_problems

    layout = Layout(settings.data_dir)
    overview, problems = look_at_review(layout), promotion_problems(layout)
    waiting = "; ".join(f"{c.label} has {c.meters} of {c.needed} meters" for c in overview.waiting)
    if overview.disputed or problems:
        disputed = [f"{len(overview.disputed)} disputed photo(s)."] if overview.disputed else []
        waits = [f"Classes that wait: {waiting}."] if waiting else []
        fix = "Settle disputed photos, as meter review list shows them: meter review name CLASS PHOTO --replace."
        return Finding(
            "promotion", "warn", " ".join([*disputed, _some(problems), *waits]), fix if overview.disputed else ""
        )
    found = f"{overview.named} photo(s) named" + (f"; classes that wait: {waiting}" if waiting else "")
    return Finding("promotion", "ok", found)


def _some(problems: Sequence[str]) -> str:
    more = len(problems) - SHOWN_PROBLEMS
    return " ".join([*problems[:SHOWN_PROBLEMS], *([f"And {more} more."] if more > 0 else [])])


def _plates(settings: Settings) -> Finding:
    from meter_pipeline.recognition.plate_reading import require_plate_reader

    if settings.read_plates:
        require_plate_reader()
    found = "read by models trained from now on" if settings.read_plates else "not read by models trained from now on"
    return Finding("plates", "ok", found)
