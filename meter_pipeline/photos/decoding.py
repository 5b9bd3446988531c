"""From bytes to a checked photo: upright, RGB, fully decoded, or a `PhotoError` that says what is wrong.

Downloads, labelled files and uploads are all decoded here, so that the same bytes are the same pixels everywhere.
Measuring a photo is in `quality`; making it the network's input is in `recognition.network.preprocess`.
"""

from __future__ import annotations

import io
import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile, jpeg_factory

from meter_pipeline.photos.costs.bounded_reading import BoundedReader, TooMuchWorkError
from meter_pipeline.photos.costs.decoding_cost import why_index_is_costly, why_too_costly
from meter_pipeline.photos.formats import (
    SNIFFED_BYTES,
    PhotoError,
    is_a_picture,
    refusal_of_foreign,
    relabelled,
    sniff,
)
from meter_pipeline.photos.jpeg_ends import DECODED_TIMES, NO_END_NOTE, has_end, with_an_end
from meter_pipeline.photos.photo_files import read_photo

__all__ = [
    "SNIFFED_BYTES",
    "Photo",
    "PhotoError",
    "is_a_picture",
    "is_upright_jpeg",
    "jpeg_without_metadata",
    "open_photo",
    "refusal_of_foreign",
    "sniff",
]

MAX_PIXELS = 80_000_000
"""Pixels; phones make up to 50 million by default, and Pillow itself warns from 89 million."""
MAX_JPEG_PIXELS = 250_000_000
"""Pixels; a JPEG of more than `MAX_PIXELS`, as phones with 200 million make them, is decoded at half its size."""
MIN_SIDE = 32
"""Pixels; tracking pixels and icons are smaller."""
MAX_ASPECT = 10.0
"""Long side over short side; panoramas end near 6."""
JPEG_QUALITY = 92


_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a photo upright, by EXIF orientation."""
_PLAIN_MODES = frozenset({"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr"})
_ALPHA_MODES = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_DEEP_MODES = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_one_huge_photo = threading.Lock()
"""A progressive JPEG of 250 million pixels takes 2 GB while it is decoded, whatever size it comes out at."""


@dataclass(frozen=True)
class Photo:
    """A photo that was decoded to its last byte.

    Attributes:
        image: RGB, 8 bits, upright, without metadata.
        format: Pillow's word for the file's format: `JPEG`, `MPO`, `PNG`, `WEBP`, `BMP`, `GIF`, `TIFF`, `AVIF`
            or `HEIF` (the last two where Pillow can).
        width: pixels of the upright photo at full size, also where `image` is smaller.
        height: pixels of the upright photo at full size.
        notes: what was unusual about the file, e.g. `animated: first frame`.
    """

    image: Image.Image
    format: str
    width: int
    height: int
    notes: tuple[str, ...] = ()


def open_photo(content: bytes | Path, *, max_pixels: int = MAX_PIXELS, smallest_side: int | None = None) -> Photo:
    """Decode a photo whole and return it upright and in RGB.

    The header is judged before any pixel is decoded: neither the size nor the work that the file asks for may be more
    than a photo's (`costs`). Transparency lies on white, 16-bit grey is scaled to 8, of an
    animation the first frame is taken.

    Args:
        content: the file's bytes, or its path.
        max_pixels: a larger photo (width x height) is refused; a JPEG only from `MAX_JPEG_PIXELS` on.
        smallest_side: where set, a JPEG is decoded at the smallest of 1/1, 1/2, 1/4, 1/8 whose sides are both at least
            this long; faster, and other pixels than a full decode, so for the network it is part of the preprocess id.
            Other formats come at full size.

    Raises:
        PhotoError: the bytes are not a photo, or one that cannot be used; `outcome` says which.
    """
    where: str | Path = content if isinstance(content, Path) else ""
    try:
        data = read_photo(content) if isinstance(content, Path) else content
        return _decode(data, max_pixels, smallest_side)
    except PhotoError as error:
        if where and not error.where:
            raise PhotoError(error.outcome, error.reason, where=where) from error
        raise


def jpeg_without_metadata(content: bytes | Path, *, quality: int = JPEG_QUALITY) -> bytes:
    """Return the photo as a plain JPEG, upright, without EXIF (places, times, devices), comment or thumbnail.

    Raises:
        PhotoError: the bytes are not a photo, or one that cannot be used.
    """
    buffer = io.BytesIO()
    open_photo(content).image.save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()


def is_upright_jpeg(content: bytes) -> bool:
    """Return whether these are the bytes of a JPEG, grey or in colours of a screen, whose pixels stand upright."""
    if sniff(content[:SNIFFED_BYTES]) != "JPEG":
        return False
    try:
        with _opened(content, "JPEG") as image:
            _judge(content, image, MAX_PIXELS)
            return image.mode in ("L", "RGB") and _orientation(image, []) == 1
    except Exception:  # `open_photo` meets the same error, and says what it means
        return False


def _decode(data: bytes, max_pixels: int, smallest_side: int | None) -> Photo:
    promised = sniff(data[:SNIFFED_BYTES])
    if promised is None:
        raise refusal_of_foreign(data[:SNIFFED_BYTES])
    notes: list[str] = []
    cut = False
    if promised == "JPEG" and not has_end(data):
        whole = _ended(data, max_pixels)
        cut, data = whole is None, whole or data
        if whole is not None:
            notes.append(NO_END_NOTE)
    try:
        with _opened(data, promised) as image:
            _judge(data, image, max_pixels)
            full_size = image.size
            if image.format == "MPO":
                notes.append("several pictures: first one")
            elif getattr(image, "is_animated", False):
                notes.append("animated: first frame")
            with _prepared(image, max_pixels, smallest_side):
                image.load()
            if cut:
                raise _ends_early(promised)  # the decoder has painted what is missing, and said nothing
            pixels = _rgb(image, notes)
            # After load: a TIFF turns itself upright, a PNG may carry its EXIF behind the pixels.
            turn = _UPRIGHT.get(_orientation(image, notes))
            loaded_size, file_format = image.size, image.format or promised
    except PhotoError:
        raise
    except TooMuchWorkError as error:
        raise _too_costly(f"Decoding stopped: {error}") from error
    except Image.DecompressionBombError as error:
        raise PhotoError("too_large_pixels", f"The photo has more than {max_pixels:,} pixels.") from error
    except Exception as error:  # hostile bytes make decoders raise nearly anything; what they mean is the same
        raise _damage(data, promised, error) from error
    if turn is not None:
        pixels = pixels.transpose(turn)
    # The header's size, unless decoding turned it (TIFF); then as the upright photo has it.
    width, height = full_size if promised == "JPEG" else loaded_size
    if turn in (_UPRIGHT[5], _UPRIGHT[6], _UPRIGHT[7], _UPRIGHT[8]):
        width, height = height, width
    pixels.info = {}
    return Photo(pixels, file_format, width, height, tuple(notes))


def _opened(data: bytes, promised: str) -> ImageFile.ImageFile:
    """Return the picture with its headers read, and not a pixel decoded."""
    if promised == "JPEG":  # what `Image.open` calls, which refuses a picture of 200 megapixels
        return jpeg_factory(BoundedReader(data))
    if promised in ("AVIF", "HEIF"):
        cost = why_index_is_costly(data)
        if cost is not None:
            raise _too_costly(cost)
    return Image.open(BoundedReader(relabelled(data, promised)), formats=(promised,))


def _prepared(image: Image.Image, max_pixels: int, smallest_side: int | None) -> AbstractContextManager[object]:
    """Tell libjpeg at what size to decode; return what to hold meanwhile."""
    if not isinstance(image, JpegImageFile):
        return nullcontext()
    is_huge = image.width * image.height > max_pixels
    if smallest_side is not None and image.format == "JPEG":
        image.draft(None, (smallest_side, smallest_side))
    elif is_huge:
        image.draft(None, (image.width // 2, image.height // 2))
    return _one_huge_photo if is_huge else nullcontext()


def _ended(data: bytes, max_pixels: int) -> bytes | None:
    """Return a JPEG that does not come to its end marker with one; None if part of it is missing, or it is broken.

    Raises:
        PhotoError: its size, or what decoding it costs, is not allowed.
    """
    try:
        with _opened(data, "JPEG") as image:
            _judge(data, image, max_pixels, times=DECODED_TIMES)
            if image.width * image.height > max_pixels:
                return None
    except PhotoError:
        raise
    except Exception:  # _decode meets the same error, and says what it means
        return None
    return with_an_end(data)


def _judge(data: bytes, image: ImageFile.ImageFile, max_pixels: int, *, times: int = 1) -> None:
    width, height = image.size
    size = f"{width}x{height}"
    most = max(max_pixels, MAX_JPEG_PIXELS) if isinstance(image, JpegImageFile) else max_pixels
    if width * height > most:
        raise PhotoError("too_large_pixels", f"The photo has {size} pixels; at most {most:,} are decoded.")
    if min(width, height) < MIN_SIDE:
        raise PhotoError("too_small", f"The photo has {size} pixels; each side needs at least {MIN_SIDE}.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise PhotoError("absurd_aspect", f"The photo has {size} pixels; no meter is that long and thin.")
    cost = why_too_costly(data, image, times=times)
    if cost is not None:
        raise _too_costly(cost)


def _too_costly(why: str) -> PhotoError:
    return PhotoError("too_costly", f"{why}: more than a photo needs. Save it anew, as a plain JPEG.")


def _orientation(image: Image.Image, notes: list[str]) -> int:
    """EXIF orientation; 1 (upright) where there is none, or where the EXIF block is broken: the pixels are good."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # see _decode; a broken EXIF block is no reason to lose the photo
        notes.append("EXIF unreadable: taken as upright")
        return 1
    if orientation in _UPRIGHT:
        notes.append(f"turned: EXIF orientation {orientation}")
        return int(orientation)
    return 1


def _rgb(image: Image.Image, notes: list[str]) -> Image.Image:
    """The loaded image as 8-bit RGB; whatever was transparent is white."""
    if image.mode in _DEEP_MODES:
        notes.append("16-bit grey")
        deep = np.asarray(image).astype(np.uint32)
        return Image.fromarray(((deep * 255 + 32767) // 65535).astype(np.uint8)).convert("RGB")
    if image.mode in _ALPHA_MODES or (image.mode in _PLAIN_MODES and "transparency" in image.info):
        notes.append("transparency: on white")
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    if image.mode not in _PLAIN_MODES:
        raise PhotoError(
            "unsupported_format", f"Pixels of kind {image.mode} are not supported; save it as JPEG or PNG."
        )
    if image.mode == "CMYK":
        notes.append("CMYK")
    return image.copy() if image.mode == "RGB" else image.convert("RGB")


def _damage(data: bytes, promised: str, error: Exception) -> PhotoError:
    """Return the error for a file that cannot be decoded: it ends too early, or is broken inside."""
    riff_bytes = int.from_bytes(data[4:8], "little") + 8
    ends_early = "truncated" in str(error).lower() or (promised == "WEBP" and riff_bytes > len(data))
    if ends_early or isinstance(error, EOFError):
        return _ends_early(promised)
    if isinstance(error, (UnidentifiedImageError, SyntaxError)):
        return PhotoError("damaged", f"It begins like a {promised} file, but cannot be read as one.")
    return PhotoError("damaged", f"The {promised} file is damaged ({type(error).__name__}: {error}).")


def _ends_early(promised: str) -> PhotoError:
    return PhotoError("truncated", f"The {promised} file ends before the picture does: copy or fetch it again.")
