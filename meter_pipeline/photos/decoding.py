"""From bytes to a checked photo: upright, RGB, fully decoded, or a `PhotoError` that says what is wrong.

Downloads, labelled files and uploads are all decoded here, so that the same bytes are the same pixels everywhere.
Measuring a photo is in `quality`; making it the network's input is in `recognition.network.preprocess`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError, features

from meter_pipeline.errors import MeterError
from meter_pipeline.photos.jpeg_ends import NO_END_NOTE, has_end, with_an_end

MAX_PIXELS = 80_000_000
"""Pixels; phones make up to 50 million by default, and Pillow itself warns from 89 million."""
MIN_SIDE = 32
"""Pixels; tracking pixels and icons are smaller."""
MAX_ASPECT = 10.0
"""Long side over short side; panoramas end near 6."""
JPEG_QUALITY = 92
SNIFFED_BYTES = 256
"""First bytes that tell a picture from a web page, and what kind it is."""


def _heif_can_be_read() -> bool:
    """Let Pillow read HEIC where the package that teaches it to is installed (`pip install meter-pipeline[heic]`)."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


_HEIF_IS_READ = _heif_can_be_read()
_AVIF_IS_READ = features.check("avif")

# Only the decoder of the format that the first bytes announce is tried: no PostScript interpreter sees foreign bytes.
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (8, b"WEBP", "WEBP"),
    (0, b"BM", "BMP"),
    (0, b"GIF8", "GIF"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
)
_FOREIGN: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF", "PDF"),
    (0, b"\x00\x00\x01\x00", "icon"),
    (0, b"8BPS", "Photoshop"),
    (0, b"PK\x03\x04", "zip or Office"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
)
_AVIF_BRANDS = frozenset({b"avif", b"avis", b"avio"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_OTHER_BRANDS = {
    b"crx ": "Canon raw",
    b"avci": "HEIF (AVC)",
    b"avcs": "HEIF (AVC)",
    b"vvic": "HEIF (VVC)",
    b"j2ki": "HEIF (JPEG 2000)",
    b"jpeg": "HEIF (JPEG)",
}
_CONTAINER_BRANDS = frozenset({b"mif1", b"mif2", b"mif3", b"msf1", b"miaf", b"MiHE", b"MiHB", b"1pic"})
"""Say that the file holds pictures (ISO 23008-12), not how they are coded: a brand behind them does."""
_PICTURES_NOT_READ = frozenset({"HEIC", "AVIF", "Photoshop", "JPEG XL", "JPEG 2000", *_OTHER_BRANDS.values()})
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


class PhotoError(MeterError):
    """These bytes are not a photo that can be used.

    Args:
        outcome: one word for tables: `empty`, `not_an_image`, `unsupported_format`, `truncated`, `damaged`,
            `too_small`, `too_large_pixels`, `absurd_aspect` or `unreadable`.
        reason: a sentence for people.
        where: the file or URL, where known.
    """

    def __init__(self, outcome: str, reason: str, *, where: str | Path = "") -> None:
        super().__init__(reason, where=where)
        self.outcome, self.reason = outcome, reason


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

    The header is judged before any pixel is decoded, so a decompression bomb costs nothing. Transparency lies on white,
    16-bit grey is scaled to 8, of an animation the first frame is taken.

    Args:
        content: the file's bytes, or its path.
        max_pixels: a larger photo (width x height) is refused.
        smallest_side: where set, a JPEG is decoded at the smallest of 1/1, 1/2, 1/4, 1/8 whose sides are both at least
            this long; faster, and other pixels than a full decode, so for the network it is part of the preprocess id.
            Other formats come at full size.

    Raises:
        PhotoError: the bytes are not a photo, or one that cannot be used; `outcome` says which.
    """
    where: str | Path = content if isinstance(content, Path) else ""
    try:
        data = _read(content) if isinstance(content, Path) else content
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


def sniff(head: bytes) -> str | None:
    """Return the format that a file's first bytes announce; None if it is not a format of photos that is read here.

    16 bytes are enough, but for files of the ISO family (HEIC, AVIF, video): they name their kinds in up to 256.
    """
    kind = _kind_of_iso_file(head)
    if kind == "AVIF" and _AVIF_IS_READ:
        return "AVIF"
    if kind == "HEIC" and _HEIF_IS_READ:
        return "HEIF"
    return next((name for at, magic, name in _SIGNATURES if head[at : at + len(magic)] == magic), None)


def is_a_picture(head: bytes) -> bool:
    """Return whether a file's first bytes are those of a picture, be it of a format that is not read here."""
    return sniff(head) is not None or _foreign_kind(head) in _PICTURES_NOT_READ


def _foreign_kind(head: bytes) -> str | None:
    kind = _kind_of_iso_file(head)
    return kind or next((name for at, magic, name in _FOREIGN if head[at : at + len(magic)] == magic), None)


def _kind_of_iso_file(head: bytes) -> str | None:
    """Return what a file that begins with an ISO `ftyp` box says it is; None for other files.

    The first brand is the one that the file was written for, the others are what it can be read as as well: where the
    first says no more than "pictures", they tell how these are coded.
    """
    if head[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(head[:4], "big"), len(head)) or len(head)
    first, others = head[8:12], [head[at : at + 4] for at in range(16, end - 3, 4)]
    brands = [first, *(others if first in _CONTAINER_BRANDS else ())]
    for brand in brands:
        if brand in _AVIF_BRANDS or brand in _HEIC_BRANDS:
            return "AVIF" if brand in _AVIF_BRANDS else "HEIC"
        if brand in _OTHER_BRANDS:
            return _OTHER_BRANDS[brand]
    return "HEIC" if first in _CONTAINER_BRANDS else "video"


def refusal_of_foreign(head: bytes) -> PhotoError:
    """Return the error for a file whose first bytes are not those of a photo; it names what the file seems to be."""
    if not head:
        return PhotoError("empty", "The file is empty.")
    kind = _foreign_kind(head)
    if kind is not None:
        return PhotoError("unsupported_format", f"This is a {kind} file; save it as JPEG or PNG.")
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return PhotoError("not_an_image", "This is a web page, not a photo.")
    if text.startswith((b"<?xml", b"<svg", b"{", b"[")):
        return PhotoError("not_an_image", "This is text (XML, SVG or JSON), not a photo.")
    return PhotoError("not_an_image", "This is not an image.")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PhotoError("unreadable", f"The file cannot be read: {error.strerror or error}.", where=path) from error


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
        with Image.open(io.BytesIO(_relabelled(data, promised)), formats=(promised,)) as image:
            _judge_size(image.width, image.height, max_pixels)
            full_size = image.size
            if image.format == "MPO":
                notes.append("several pictures: first one")
            elif getattr(image, "is_animated", False):
                notes.append("animated: first frame")
            if smallest_side is not None and image.format == "JPEG":
                image.draft(None, (smallest_side, smallest_side))
            image.load()
            if cut:
                raise _ends_early(promised)  # the decoder has painted what is missing, and said nothing
            pixels = _rgb(image, notes)
            # After load: a TIFF turns itself upright, a PNG may carry its EXIF behind the pixels.
            turn = _UPRIGHT.get(_orientation(image, notes))
            loaded_size, file_format = image.size, image.format or promised
    except PhotoError:
        raise
    except Image.DecompressionBombError as error:
        raise PhotoError("too_large_pixels", f"The photo has more than {max_pixels:,} pixels.") from error
    except Exception as error:  # hostile bytes make decoders raise nearly anything; what they mean is the same
        raise _damage(data, promised, error) from error
    if turn is not None:
        pixels = pixels.transpose(turn)
    # The header's size, unless decoding turned it (TIFF); then as the upright photo has it.
    width, height = full_size if smallest_side is not None and file_format == "JPEG" else loaded_size
    if turn in (_UPRIGHT[5], _UPRIGHT[6], _UPRIGHT[7], _UPRIGHT[8]):
        width, height = height, width
    pixels.info = {}
    return Photo(pixels, file_format, width, height, tuple(notes))


def _ended(data: bytes, max_pixels: int) -> bytes | None:
    """Return a JPEG that does not come to its end marker with one; None if part of it is missing, or it is broken.

    Raises:
        PhotoError: its size is not allowed.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            _judge_size(image.width, image.height, max_pixels)
    except PhotoError:
        raise
    except Exception:  # _decode meets the same error, and says what it means
        return None
    return with_an_end(data)


def _relabelled(data: bytes, promised: str) -> bytes:
    """Return an ISO file under the first brand that its decoder goes by; which one it is says nothing of the coding."""
    brand = {"HEIF": b"heic", "AVIF": b"avif"}.get(promised)
    return data if brand is None or data[8:12] not in _CONTAINER_BRANDS else data[:8] + brand + data[12:]


def _judge_size(width: int, height: int, max_pixels: int) -> None:
    size = f"{width}x{height}"
    if width * height > max_pixels:
        raise PhotoError("too_large_pixels", f"The photo has {size} pixels; at most {max_pixels:,} are decoded.")
    if min(width, height) < MIN_SIDE:
        raise PhotoError("too_small", f"The photo has {size} pixels; each side needs at least {MIN_SIDE}.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise PhotoError("absurd_aspect", f"The photo has {size} pixels; no meter is that long and thin.")


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
    if isinstance(error, UnidentifiedImageError):
        return PhotoError("damaged", f"It begins like a {promised} file, but cannot be read as one.")
    return PhotoError("damaged", f"The {promised} file is damaged ({type(error).__name__}: {error}).")


def _ends_early(promised: str) -> PhotoError:
    return PhotoError("truncated", f"The {promised} file ends before the picture does: copy or fetch it again.")
