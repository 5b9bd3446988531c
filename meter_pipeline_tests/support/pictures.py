"""A photo's bytes as the picture that people see."""

from __future__ import annotations

import io

from PIL import Image, ImageOps


def picture(content: bytes) -> Image.Image:
    """Return the picture, turned as its EXIF says."""
    return ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
