"""What puts views through the network, behind one interface: ONNX Runtime, OpenVINO or torch; needs no torch itself.

`engine_choice` says which one a model gets.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

NETWORK = "network.onnx"
"""A model's file of the whole network, from pixels on."""
PIXELS = "pixels"
"""Name of the graph's input: views x side x side x 3, uint8."""
OUTPUTS = ("maps", "logits", "tuned", "pretrained")
"""Names of the graph's outputs, as `Outputs` has them."""


_first_pass = threading.Lock()
_passed: set[str] = set()
"""Libraries by which this process has put views through a network."""


@contextmanager
def _alone_at_first(library: str) -> Iterator[None]:
    """Let the first pass by a library in this process be made by one thread alone.

    OpenVINO's first pass makes what its binding to Python keeps, and holds a lock of C++ while it waits for Python's;
    a second thread that is at its first pass too waits for them the other way round, for ever: two of twelve processes
    hung whose two threads began together (openvino 2026).
    """
    if library not in _passed:
        with _first_pass:
            if library not in _passed:
                yield
                _passed.add(library)
                return
    yield


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What the network makes of some views, float32, one row per view.

    Attributes:
        maps: feature maps of the trunk, views x channels x height x width.
        logits: views x classes.
        tuned: embeddings by the last block as it was tuned, views x dimensions.
        pretrained: embeddings by the last block as it was before, views x dimensions.
    """

    maps: np.ndarray
    logits: np.ndarray
    tuned: np.ndarray
    pretrained: np.ndarray


class Engine(Protocol):
    """Puts views through a network; may be called from several threads at once.

    Attributes:
        name: `onnx`, `openvino` or `torch`, and where it runs if that is not the processor.
        photos_per_pass: photos whose views are best put through together.
        classes: number of its logits.
    """

    name: str
    photos_per_pass: int
    classes: int

    def run(self, pixels: np.ndarray) -> Outputs:
        """Return what the network makes of views (views x side x side x 3, uint8), of each whatever is beside it."""
        ...


class OnnxGraph:
    """A graph of ours by ONNX Runtime on the processor: each call on one thread, as threads of ours share the work.

    Args:
        network: the graph's file, or its bytes.
    """

    def __init__(self, network: Path | bytes) -> None:
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # Its own memory is kept from pass to pass: asked of the system each time, it grew to five times as much (0023).
        options.enable_cpu_mem_arena = True
        source = network if isinstance(network, bytes) else str(network)
        self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])

    def outputs(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Return the outputs of views (views x side x side x 3, uint8), by name."""
        with _alone_at_first("onnxruntime"):
            found = self._session.run(None, {PIXELS: np.ascontiguousarray(pixels)})
        return dict(zip((each.name for each in self._session.get_outputs()), found, strict=True))

    def width(self, output: str) -> int:
        """Return how many numbers an output has for each view, along its first axis."""
        (found,) = (each.shape[1] for each in self._session.get_outputs() if each.name == output)
        return int(found)


class OnnxEngine:
    """The network by ONNX Runtime; see `OnnxGraph`.

    Args:
        network: the file of the whole network.
    """

    name = "onnx"
    photos_per_pass = 1
    """More at a time are no faster: each image is computed by itself."""

    def __init__(self, network: Path) -> None:
        self._graph = OnnxGraph(network)
        self.classes = self._graph.width("logits")

    def run(self, pixels: np.ndarray) -> Outputs:
        """Return what the network makes of views; see `Engine`."""
        return Outputs(**self._graph.outputs(pixels))


class OpenVinoEngine:
    """The network by OpenVINO on the processor, each call on one thread; the extra `openvino`.

    Args:
        network: a graph's file.
    """

    name = "openvino"
    photos_per_pass = 1

    def __init__(self, network: Path) -> None:
        import openvino

        settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        self._network: Any = openvino.Core().compile_model(str(network), "CPU", settings)
        self._of_thread = threading.local()
        self.classes = int(self._network.output("logits").partial_shape[1].get_length())

    def run(self, pixels: np.ndarray) -> Outputs:
        """Return what the network makes of views; see `Engine`."""
        with _alone_at_first("openvino"):
            request = getattr(self._of_thread, "request", None)
            if request is None:  # a request works on one thing at a time
                request = self._of_thread.request = self._network.create_infer_request()
            found = request.infer({PIXELS: np.ascontiguousarray(pixels)})
            return Outputs(**{name: np.array(found[name]) for name in OUTPUTS})
