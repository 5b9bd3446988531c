"""Which format a file is, by its first bytes, and the word for what cannot be used: `PhotoError`."""

from __future__ import annotations

from pathlib import Path

from PIL import features

from meter_pipeline.errors import MeterError

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


class PhotoError(MeterError):
    """These bytes are not a photo that can be used.

    Args:
        outcome: one word for tables: `empty`, `not_an_image`, `unsupported_format`, `truncated`, `damaged`,
            `too_small`, `too_large_pixels`, `too_costly`, `absurd_aspect` or `unreadable`.
        reason: a sentence for people.
        where: the file or URL, where known.
    """

    def __init__(self, outcome: str, reason: str, *, where: str | Path = "") -> None:
        super().__init__(reason, where=where)
        self.outcome, self.reason = outcome, reason


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


def relabelled(data: bytes, promised: str) -> bytes:
    """Return an ISO file (HEIC, AVIF) under the first brand that its decoder goes by.

    Which one it is says nothing of the coding.
    """
    brand = {"HEIF": b"heic", "AVIF": b"avif"}.get(promised)
    return data if brand is None or data[8:12] not in _CONTAINER_BRANDS else data[:8] + brand + data[12:]
