"""Where the model looked: Grad-CAM of a class over the whole photo (Selvaraju et al., 2017), and its closer views."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import nn

from meter_pipeline.errors import MeterError
from meter_pipeline.recognition.model_store import MeterModel
from meter_pipeline.recognition.network.locating import Box
from meter_pipeline.recognition.network.torch_network import normalise

OVERLAY_SIDE = 480
"""Pixels of the longer side of the picture."""
HOT = (255, 96, 0)
OPACITY = 0.6
"""Of the colour where the class got most of its score."""
DIMMED = 0.8
"""Brightness of the photo where the class got nothing."""
FRAME = (255, 255, 255)
FRAME_WIDTH = 2
JPEG_QUALITY = 85


class _AgainstTheOthers(nn.Module):
    """Each class's logit less the mean of all: softmax depends on these alone, while a logit has a free offset."""

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        return logits - logits.mean(dim=1, keepdim=True)


def grad_cam(model: MeterModel, content: bytes, class_name: str) -> np.ndarray:
    """Return how much each part of a photo supports a class against the others.

    A prediction averages three views; explained is the view of the whole photo, at the last feature maps.

    Args:
        model: the model.
        content: the photo's bytes.
        class_name: one of the model's classes.

    Returns:
        A square that covers the whole photo, 0 to 1; all 0 if no part supports the class.

    Raises:
        PhotoError: the bytes are not a photo.
        MeterError: the backbone's last block gives no feature maps, as in a transformer.
    """
    from captum.attr import LayerAttribution, LayerGradCam

    network = model.network_in_torch
    parts = list(network.tuned_block.children())
    image = model.preprocess.open(content)
    pixels = normalise(model.preprocess, np.array(model.preprocess.view(image, "squeezed"))[None])
    with torch.no_grad():
        maps = network.trunk(pixels.to(network.device))
        last_maps = nn.Sequential(*parts[:-1])(maps)  # the last part pools
    if len(parts) < 2 or last_maps.ndim != 4 or last_maps.shape[1] < last_maps.shape[2]:
        raise MeterError(f"Where {model.card.backbone} looked cannot be shown: its last block gives no feature maps.")
    explain = LayerGradCam(nn.Sequential(network.tuned_block, network.head, _AgainstTheOthers()), parts[-2])
    with torch.enable_grad():
        found = explain.attribute(maps.requires_grad_(), model.classes.index(class_name), relu_attributions=True)
    heat = LayerAttribution.interpolate(found.detach(), (model.preprocess.size,) * 2, "bilinear")[0, 0].cpu().numpy()
    highest = float(heat.max())
    return heat / highest if highest > 0 else np.zeros_like(heat)


def closer_views(model: MeterModel, content: bytes) -> list[Box]:
    """Return the squares of a photo that the model looks at closer, as shares of its width and height.

    Raises:
        PhotoError: the bytes are not a photo.
    """
    image = model.preprocess.open(content)
    whole = np.asarray(model.preprocess.view(image, "squeezed"))[None]
    place, (width, height) = model.preprocess.place(model.engine.run(whole).maps[0]), image.size
    names = model.preprocess.located_views
    boxes = [model.preprocess.located_box(name, place, (width, height)) for name in names]
    return [(left / width, top / height, right / width, bottom / height) for left, top, right, bottom in boxes]


def overlay(content: bytes, heat: np.ndarray, squares: Sequence[Box] = ()) -> bytes:
    """Return the photo as a JPEG with its heat on it: orange where the class got its score, dim elsewhere.

    Args:
        content: the photo's bytes.
        heat: from `grad_cam`.
        squares: from `closer_views`; drawn as white frames.

    Raises:
        PhotoError: the bytes are not a photo.
    """
    from meter_pipeline.photos.decoding import open_photo

    image = open_photo(content, smallest_side=OVERLAY_SIDE).image
    image.thumbnail((OVERLAY_SIDE, OVERLAY_SIDE), Image.Resampling.LANCZOS)
    mask = Image.fromarray((heat * 255).astype(np.uint8)).resize(image.size, Image.Resampling.BILINEAR)
    share = np.asarray(mask, np.float32)[..., None] / 255
    pixels = np.asarray(image, np.float32)
    lit = pixels * (DIMMED + (1 - DIMMED) * share)
    mixed = lit * (1 - OPACITY * share) + np.array(HOT, np.float32) * OPACITY * share
    picture = Image.fromarray(mixed.round().clip(0, 255).astype(np.uint8))
    for square in squares:
        corners = [share * (side - 1) for share, side in zip(square, picture.size * 2, strict=True)]
        ImageDraw.Draw(picture).rectangle(corners, outline=FRAME, width=FRAME_WIDTH)
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
