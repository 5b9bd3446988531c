"""Images of every odd kind that a host may send, and what is to come of each."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def odd_image(kind: str) -> bytes:
    """Return the bytes of an image of that kind."""
    pixels, *frames = (_noise(seed) for seed in range(3))
    photo = _encoded(pixels, "JPEG")
    exif = Image.Exif()
    exif[0x0112] = 6
    return {
        "turned": lambda: _encoded(pixels, "JPEG", exif=exif),
        "cmyk": lambda: _encoded(pixels.convert("CMYK"), "JPEG"),
        "grey16": lambda: _encoded(Image.fromarray(np.arange(6400, dtype=np.uint16).reshape(80, 80) * 10), "PNG"),
        "palette": lambda: _encoded(pixels.convert("P"), "PNG"),
        "alpha": lambda: _encoded(pixels.convert("RGBA"), "PNG"),
        "animated": lambda: _encoded(pixels.convert("P"), "GIF", save_all=True, append_images=frames),
        "mpo": lambda: _encoded(pixels, "MPO", save_all=True, append_images=frames),
        "webp": lambda: _encoded(pixels, "WEBP"),
        "avif": lambda: _encoded(pixels, "AVIF"),
        "bmp": lambda: _encoded(pixels, "BMP"),
        "tiff": lambda: _encoded(pixels, "TIFF"),
        "bomb": lambda: _png_header(60_000, 60_000),
        "pixel": lambda: _encoded(Image.new("RGB", (1, 1)), "PNG"),
        "ribbon": lambda: _encoded(Image.new("RGB", (2000, 40)), "JPEG"),
        "cut": lambda: photo[: len(photo) // 2],
        "cut-and-filled": lambda: photo[: len(photo) // 2] + bytes(len(photo) - len(photo) // 2),
        "no-end": lambda: photo[:-2],
        "end-zeroed": lambda: photo[:-2] + bytes(500),
        "broken": lambda: photo[:200] + bytes(len(photo) - 200),
        "svg": lambda: b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
        "video": lambda: b"\x00\x00\x00\x18ftypmp42" + bytes(2000),
    }[kind]()


ODD_IMAGES = {
    **dict.fromkeys(("turned", "cmyk", "grey16", "palette", "alpha", "animated", "mpo", "webp", "avif"), "ok"),
    **dict.fromkeys(("bmp", "tiff", "no-end", "end-zeroed"), "ok"),
    "bomb": "too_large_pixels",
    "pixel": "too_small",
    "ribbon": "absurd_aspect",
    "cut": "truncated",
    "cut-and-filled": "truncated",
    "broken": "damaged",
    "svg": "not_an_image",
    "video": "unsupported_format",
}
"""What `/image/<kind>` answers with, all called image/jpeg, and what is to come of it."""


def _encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def _png_header(width: int, height: int) -> bytes:
    """A PNG that says it is huge, and is a few bytes."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(1000))
    parts = [struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (head, data)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _noise(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (200, 120, 3), dtype=np.uint8))
