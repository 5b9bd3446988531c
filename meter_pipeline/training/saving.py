"""A trained model written to disk, whole or not at all: weights, the ONNX graph that serves it, train photos, card."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from safetensors.torch import save_file

from meter_pipeline.recognition.model_card import WEIGHTS, ModelCard, save_card
from meter_pipeline.recognition.model_store import HELD_OUT, REFERENCE, Reference
from meter_pipeline.recognition.network.engines import NETWORK
from meter_pipeline.recognition.network.onnx_export import network_to_onnx
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline.recognition.network.torch_network import TorchNetwork
from meter_pipeline.storage.files import replacing
from meter_pipeline.storage.layout import Layout


def save_model(
    layout: Layout,
    card_fields: Mapping[str, Any],
    network: TorchNetwork,
    preprocess: Preprocess,
    reference: Reference,
    held_out: pd.DataFrame,
) -> ModelCard:
    """Write a model's folder and return its card.

    Args:
        layout: the data directory.
        card_fields: the card without `files` and `created_at`.
        network: the trained network.
        preprocess: how photos come into it.
        reference: the train photos as the guard knows them.
        held_out: photos that were held out or hidden, with what the guard makes of them: rows of
            `held_out.held_out_rows`.
    """
    tensors = {
        f"{part}.{name}": tensor.detach().cpu().contiguous()
        for part, module in network.parts().items()
        for name, tensor in module.state_dict().items()
    }
    with replacing(layout.models / str(card_fields["version"])) as folder:
        folder.mkdir(parents=True)
        save_file(tensors, folder / WEIGHTS)
        (folder / NETWORK).write_bytes(network_to_onnx(network, preprocess))
        reference.save(folder / REFERENCE)
        held_out.to_parquet(folder / HELD_OUT, index=False)
        card = ModelCard(**dict(card_fields), created_at=datetime.now(UTC).isoformat(timespec="seconds"))
        card = save_card(folder, card)
    return card
