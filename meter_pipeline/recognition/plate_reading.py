"""What is printed on a photo's plate, as codes of three letters or digits; types that look alike differ in it.

The text itself is kept nowhere, and digits in a row, four and more (serial and account numbers), are in no code. Words
could be put together from their codes again, so the codes are as confidential as the photos.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import version as library_version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from meter_pipeline.errors import MeterError
from meter_pipeline.photos.decoding import PhotoError, open_photo
from meter_pipeline.photos.parallel import MOST_WORKERS, in_parallel
from meter_pipeline.photos.progress import Progress
from meter_pipeline.storage.files import replacing

_logger = logging.getLogger(__name__)

SYMBOLS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789#"
"""What a code is made of; # stands for a long number."""
CODES = len(SYMBOLS) ** 3
"""Number of different codes."""
CODES_VERSION = 1
"""Raised by hand with any change that makes different codes of the same lines."""
CODES_PER_PHOTO = 128
"""Most codes kept of a photo; if there are more, those of the lines that were read most surely."""
NOTHING = -1
"""Fills the places after a photo's last code."""
SUREST = 0.80
"""Lines that were read less surely are left out: what is misread looks like another type's print."""
LONGEST_SIDE = 800
"""Pixels of the longer side that a photo is scaled down to before it is read; smaller photos stay as they are."""
SMALLEST_SIDE = 600
"""See `open_photo`: a large JPEG is decoded at a half, a quarter, ..., as long as both sides keep this many pixels."""
SECONDS_PER_PHOTO = 0.75
"""Seconds of one core that reading a photo takes (docs/decisions/0011-plates.md)."""
PHOTOS_AHEAD = 64
"""Photos whose codes may wait to be taken."""
PACKAGES = ("rapidocr", "onnxruntime")
FIX = (
    "pip install --force-reinstall 'meter-pipeline[plates]', or do without: METER_CLUSTER_PRINT=off for clusters, a"
    " model trained with METER_READ_PLATES=false for names."
)
_LONG_NUMBER = re.compile(r"\d{4,}")
_loading = threading.Lock()


def plates_can_be_read() -> bool:
    """Return whether the packages of the extra `plates` are installed."""
    return not _missing_packages()


def _missing_packages() -> list[str]:
    return [name for name in PACKAGES if find_spec(name) is None]


def require_plate_reader() -> None:
    """Load the reader, or raise if plates cannot be read on this machine.

    Raises:
        MeterError: the packages are not installed, or do not start; says what to do.
    """
    _require_packages()
    try:
        _reader()
    except Exception as error:  # a library of the system that is missing, a file of the wheel that is damaged
        raise MeterError(
            f"The plate reader does not start: {type(error).__name__}: {error}.", where="rapidocr, onnxruntime", fix=FIX
        ) from error


def _require_packages() -> None:
    if missing := _missing_packages():
        raise MeterError(
            f"Plates cannot be read: {' and '.join(missing)} not installed.",
            where="METER_READ_PLATES, or a model that was trained with it",
            fix=FIX,
        )


def read_plates(photos: Sequence[tuple[str, Path]], folder: Path) -> np.ndarray:
    """Read the print of many photos, each once; the log says how many are to be read and how far it is.

    Args:
        photos: image_id and file of each photo.
        folder: where codes are kept, one file per photo.

    Returns:
        Codes as `plate_codes` returns them, photos x `CODES_PER_PHOTO`; nothing of a photo that is lost or damaged.

    Raises:
        MeterError: the packages are not installed, or do not start.
    """
    _require_packages()
    unread = sum(not kept_codes(folder, image_id).exists() for image_id, _ in photos)
    seconds = unread * SECONDS_PER_PHOTO / min(os.cpu_count() or 1, MOST_WORKERS)
    _logger.info("Plates: %d of %d photos to read, about %.0f s", unread, len(photos), seconds)
    progress = Progress(len(photos), lambda words: _logger.info("Plates: %s", words), of="photos")
    codes, lost = nothing_read(len(photos)), 0
    found = in_parallel(lambda photo: _codes_or_none(*photo, folder), photos, ahead=PHOTOS_AHEAD)
    for row, of_photo in enumerate(found):
        if of_photo is None:
            lost += 1
        else:
            codes[row] = of_photo
        progress.advance()
    if lost:
        _logger.warning("%d of %d photos are lost or damaged: nothing is read on them", lost, len(photos))
    return codes


def _codes_or_none(image_id: str, path: Path, folder: Path) -> np.ndarray | None:
    try:
        return plate_codes(path, image_id=image_id, folder=folder)
    except (PhotoError, FileNotFoundError):
        return None


def plate_codes(content: bytes | Path, *, image_id: str, folder: Path | None = None) -> np.ndarray:
    """Read a photo's print once; what was read is kept in `folder`.

    Args:
        content: the photo's bytes, or its path.
        image_id: SHA-256 of its bytes.
        folder: where codes are kept, one file per photo; None: they are not kept.

    Returns:
        `CODES_PER_PHOTO` codes, int32, ascending, then `NOTHING`.

    Raises:
        PhotoError: the photo cannot be decoded or is refused.
        FileNotFoundError: its file is lost.
        MeterError: the packages are not installed, or do not start.
    """
    _require_packages()
    kept = kept_codes(folder, image_id) if folder is not None else None
    if kept is not None and (codes := _load(kept)) is not None:
        return codes
    require_plate_reader()
    try:
        codes = codes_of(read_lines(content))
    except (PhotoError, FileNotFoundError, MemoryError):
        raise
    except Exception as error:  # OpenCV and ONNX Runtime raise nearly anything
        _logger.warning("The plate of %s could not be read (%s); it is judged without.", image_id, type(error).__name__)
        return nothing_read(1)[0]
    if kept is not None:
        with replacing(kept) as temporary, temporary.open("wb") as handle:
            np.save(handle, codes)
    return codes


def kept_codes(folder: Path, image_id: str) -> Path:
    """Return the file that keeps what this reader read on a photo."""
    return folder / reader_id() / image_id[:2] / f"{image_id}.npy"


def _load(kept: Path) -> np.ndarray | None:
    try:
        codes = np.asarray(np.load(kept))
    except (OSError, EOFError, ValueError):  # not there yet, or damaged: read again
        return None
    return codes if codes.shape == (CODES_PER_PHOTO,) else None


def read_lines(content: bytes | Path) -> list[tuple[str, float]]:
    """Return the lines of print on a photo and how surely each was read, 0 to 1.

    Raises:
        PhotoError: the photo cannot be decoded or is refused.
    """
    image = open_photo(content, smallest_side=SMALLEST_SIDE).image
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    found = _reader()(np.asarray(image)[:, :, ::-1])
    return list(zip(found.txts or (), map(float, found.scores or ()), strict=True))


def codes_of(lines: Iterable[tuple[str, float]]) -> np.ndarray:
    """Return the codes of lines of text: three symbols in a row, two of them letters at least.

    Args:
        lines: text and how surely it was read, 0 to 1.

    Returns:
        `CODES_PER_PHOTO` codes as `plate_codes` returns them.
    """
    found: dict[int, None] = {}
    for text, surety in sorted(lines, key=lambda line: (-line[1], line[0])):
        if surety < SUREST:
            break
        plain = unicodedata.normalize("NFKD", text).upper()
        # Spaces are lost in reading as often as not.
        symbols = _LONG_NUMBER.sub("#", "".join(symbol for symbol in plain if symbol in SYMBOLS[:-1]))
        for three in (symbols[start : start + 3] for start in range(len(symbols) - 2)):
            if sum(symbol.isalpha() for symbol in three) > 1:
                first, second, third = (SYMBOLS.index(symbol) for symbol in three)
                found[(first * len(SYMBOLS) + second) * len(SYMBOLS) + third] = None
    codes = np.full(CODES_PER_PHOTO, NOTHING, np.int32)
    kept = sorted(list(found)[:CODES_PER_PHOTO])
    codes[: len(kept)] = kept
    return codes


def nothing_read(photos: int) -> np.ndarray:
    """Return the codes of photos of which nothing was read, photos x `CODES_PER_PHOTO`."""
    return np.full((photos, CODES_PER_PHOTO), NOTHING, np.int32)


@cache
def reader_id() -> str:
    """Return a name for all that codes depend on beside the photo: codes of another reader look strange to a model."""
    return f"rapidocr-{library_version('rapidocr')}-{LONGEST_SIDE}-{SMALLEST_SIDE}-{SUREST}-{CODES_VERSION}"


def _reader() -> Any:
    with _loading:
        return _load_reader()


@cache
def _load_reader() -> Any:
    """Return PP-OCR by RapidOCR with the wheel's models; one for all threads, each of which computes on one core."""
    import onnxruntime
    from rapidocr import RapidOCR

    onnxruntime.disable_telemetry_events()
    reader = RapidOCR(
        params={
            "Global.use_cls": False,  # meters hang upright; turning lines costs time and misreads numbers
            "Global.log_level": "error",
            "Det.limit_type": "max",
            "Det.limit_side_len": LONGEST_SIDE,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
    # It loads its models when they are first used: used once here, so that a missing model is not taken for a plate
    # that cannot be read.
    blank = np.full((48, 96, 3), 255, np.uint8)
    for find_lines in (False, True):
        reader(blank, use_det=find_lines)
    return reader
