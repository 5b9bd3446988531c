"""Which engine a model answers by: the one that a setting names, or the fastest on this machine, measured once.

Torch is loaded only where it is asked for, where a CUDA card may be there, or where a model has no ONNX file.
"""

from __future__ import annotations

import logging
import os
import platform
import sys
import time
from collections.abc import Callable
from functools import cache
from importlib.metadata import version as library_version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from meter_pipeline.errors import MeterError
from meter_pipeline.recognition.network.engines import NETWORK, Engine, OnnxEngine, OpenVinoEngine
from meter_pipeline.settings import EngineName
from meter_pipeline.storage.notes import read_note, write_note

_logger = logging.getLogger(__name__)

MEASURED_PASSES = 8
"""Passes that an engine is timed by, after one that is not."""


def choose_engine(
    folder: Path, wanted: EngineName, *, side: int, by_torch: Callable[[], Engine], measured: Path
) -> Engine:
    """Return the engine that a model answers by.

    Args:
        folder: the model's.
        wanted: the setting `serving_engine`.
        side: of a view, in pixels.
        by_torch: makes the engine that computes by torch.
        measured: file where it is kept which engine was the fastest.

    Raises:
        MeterError: the setting names an engine that is not installed.
    """
    network = folder / NETWORK
    if wanted == "openvino" and not _is_installed("openvino"):
        raise MeterError(
            "OpenVINO is not installed.",
            where="METER_SERVING_ENGINE=openvino",
            fix="pip install 'meter-pipeline[openvino]', or unset METER_SERVING_ENGINE.",
        )
    if wanted == "torch" or (wanted == "auto" and _has_cuda()):
        return by_torch()
    if not network.exists():
        _say_once(
            f"Model {folder.name} has no {NETWORK}: it was trained by an older version, and answers by torch, slower."
            " `meter train` makes a new one."
        )
        return by_torch()
    if wanted == "openvino":
        return OpenVinoEngine(network)
    if wanted == "auto" and _is_installed("openvino"):
        return _fastest(network, side, measured)
    return OnnxEngine(network)


def _fastest(network: Path, side: int, measured: Path) -> Engine:
    """Return the faster of both engines, as it was measured on this machine once."""
    made: dict[str, Callable[[], Engine]] = {
        "onnx": lambda: OnnxEngine(network),
        "openvino": lambda: OpenVinoEngine(network),
    }
    key = _machine_and_network(network)
    kept = read_note(measured, what_follows="It is measured again which engine is the fastest.")
    if kept.get(key) in made:
        return made[str(kept[key])]()
    engines = {name: make() for name, make in made.items()}
    seconds = {name: _seconds(engine, side) for name, engine in engines.items()}
    best = min(seconds, key=seconds.__getitem__)
    _logger.info("Photos are put through the network by %s (milliseconds a view: %s)", best, _shown(seconds))
    write_note(measured, {**kept, key: best})
    return engines[best]


def _shown(seconds: dict[str, float]) -> str:
    return ", ".join(f"{name} {1000 * each:.0f}" for name, each in seconds.items())


def _seconds(engine: Engine, side: int) -> float:
    """Return the processor time of a view, the least of several: another busy program makes no engine slower."""
    view = np.zeros((1, side, side, 3), np.uint8)
    engine.run(view)
    found = []
    for _ in range(MEASURED_PASSES):
        begun = time.process_time()
        engine.run(view)
        found.append(time.process_time() - begun)
    return min(found)


def _machine_and_network(network: Path) -> str:
    libraries = [f"{name} {library_version(name)}" for name in ("onnxruntime", "openvino")]
    return ", ".join([network.parent.name, platform.machine(), platform.processor(), str(os.cpu_count()), *libraries])


def _is_installed(package: str) -> bool:
    return find_spec(package) is not None


@cache
def _has_cuda() -> bool:
    """Return whether torch can compute on a card; torch is asked only where the system has one."""
    if sys.platform == "win32":
        has_driver = (Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll").exists()
    else:
        has_driver = any(Path(name).exists() for name in ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg"))
    if not has_driver:
        return False
    import torch

    return torch.cuda.is_available()


@cache
def _say_once(sentence: str) -> None:
    _logger.warning("%s", sentence)
