"""What puts the photos of a training through the frozen trunk: ONNX Runtime on the processor, torch on a CUDA card."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from meter_pipeline.errors import WeightsError
from meter_pipeline.recognition.network.engines import OUTPUTS, OnnxGraph
from meter_pipeline.recognition.network.onnx_export import trunk_to_onnx
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline.recognition.network.torch_network import normalise

COMPUTED_BY = {"cpu": "onnx", "cuda": "cuda"}
"""Name of what computes, by device: others give other last bits, so what is kept is kept by this name."""
VIEWS_PER_PASS = {"cpu": 1, "cuda": 64}
"""By device. Two at once take half as long again each on a processor: its cache is too small for both."""


class FrozenTrunk:
    """A trunk that is not trained; may be called from several threads at once.

    Args:
        trunk: view batch -> feature maps.
        backbone: its name.
        preprocess: how its input is normalised.
        device: where it runs.
    """

    def __init__(self, trunk: nn.Module, backbone: str, preprocess: Preprocess, device: torch.device) -> None:
        self._trunk, self._backbone, self._preprocess, self._device = trunk, backbone, preprocess, device
        self._loading = threading.Lock()
        self._run: Callable[[np.ndarray], np.ndarray] | None = None

    @property
    def computed_by(self) -> str:
        """What computes the maps."""
        return COMPUTED_BY[self._device.type]

    @property
    def sees_views_alone(self) -> bool:
        """Whether a view's map is the same, to the last bit, whatever it is computed with."""
        return self._device.type == "cpu"

    def maps(self, pixels: np.ndarray) -> np.ndarray:
        """Return the feature maps of views (views x side x side x 3, uint8), views x channels x ..., float16.

        Raises:
            WeightsError: the backbone cannot be written as an ONNX graph.
        """
        with self._loading:
            if self._run is None:
                self._run = self._in_torch() if self._device.type == "cuda" else self._by_onnx()
        size = VIEWS_PER_PASS[self._device.type]
        passes = [pixels[start : start + size] for start in range(0, len(pixels), size)]
        return np.concatenate([self._run(some).astype(np.float16) for some in passes])

    def _by_onnx(self) -> Callable[[np.ndarray], np.ndarray]:
        try:
            content = trunk_to_onnx(self._trunk, self._preprocess)
        except Exception as error:  # whatever an operator that the exporter does not know ends in
            raise WeightsError(
                f"The backbone {self._backbone} cannot be written as an ONNX graph: {str(error).splitlines()[0]}",
                where="METER_BACKBONE",
                fix="Take another backbone: models answer by that graph.",
            ) from error
        graph = OnnxGraph(content)
        return lambda pixels: graph.outputs(pixels)[OUTPUTS[0]]

    def _in_torch(self) -> Callable[[np.ndarray], np.ndarray]:
        trunk = self._trunk.eval().requires_grad_(False).to(self._device)

        def run(pixels: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                maps = trunk(normalise(self._preprocess, pixels).to(self._device))
            return np.asarray(maps.cpu().numpy())

        return run
