"""What is printed on a photo's plate, as codes of three letters or digits; types that look alike differ in it.

The text itself is kept nowhere, and runs of four digits and more (serial and account numbers) are in no code.
"""

from __future__ import annotations

import logging
import re
import threading
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version as library_version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from meter_pipeline.core.files import replacing
from meter_pipeline.core.photos import open_photo
from meter_pipeline.errors import MeterError

_logger = logging.getLogger(__name__)

SYMBOLS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789#"
"""What a code is made of; # stands for a long number."""
CODES = len(SYMBOLS) ** 3
"""Number of different codes."""
CODES_A_PHOTO = 128
"""Codes kept of a photo: of more, those of the lines that were read most surely."""
NOTHING = -1
"""Fills the places after a photo's last code."""
SUREST = 0.80
"""Lines that were read less surely are left out: what is misread looks like another type's print."""
LONGEST_SIDE = 800
"""Pixels that a photo is scaled down to before it is read; smaller ones stay as they are."""
SMALLEST_SIDE = 600
"""See `open_photo`: a large JPEG is decoded at a half, a quarter, ..., as long as both sides keep that many pixels."""
_LONG_NUMBER = re.compile(r"\d{4,}")
_loading = threading.Lock()


def require_plate_reader() -> None:
    """Raise if plates cannot be read on this machine.

    Raises:
        MeterError: the packages are not installed; says how to.
    """
    missing = [name for name in ("rapidocr", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise MeterError(
            f"Plates cannot be read: {' and '.join(missing)} not installed.",
            where="METER_READ_PLATES, or a model that was trained with it",
            fix="pip install 'meter-pipeline[plates]', or train a model with METER_READ_PLATES=false.",
        )


def plate_codes(content: bytes | Path, *, image_id: str, folder: Path | None = None) -> np.ndarray:
    """Read a photo's print once; what was read is kept in `folder`.

    Args:
        content: the photo's bytes, or its path.
        image_id: SHA-256 of its bytes.
        folder: where codes are kept, a file a photo; None: nowhere.

    Returns:
        `CODES_A_PHOTO` codes, int32, ascending, then `NOTHING`.

    Raises:
        PhotoError: it is no photo that can be used.
        MeterError: the packages are not installed.
    """
    require_plate_reader()
    kept = folder / _reader_id() / image_id[:2] / f"{image_id}.npy" if folder is not None else None
    if kept is not None and kept.exists():
        return np.asarray(np.load(kept))
    codes = codes_of(read_lines(content))
    if kept is not None:
        with replacing(kept) as temporary, temporary.open("wb") as handle:
            np.save(handle, codes)
    return codes


def read_lines(content: bytes | Path) -> list[tuple[str, float]]:
    """Return the lines of print on a photo and how surely each was read, 0 to 1; none where reading fails.

    Raises:
        PhotoError: it is no photo that can be used.
    """
    image = open_photo(content, smallest_side=SMALLEST_SIDE).image
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    try:
        found = _reader()(np.asarray(image)[:, :, ::-1])
    except Exception as error:  # OpenCV and ONNX Runtime raise nearly anything; a plate that is not read says nothing
        _logger.warning("A plate could not be read (%s); the photo is judged without it.", type(error).__name__)
        return []
    return list(zip(found.txts or (), map(float, found.scores or ()), strict=True))


def codes_of(lines: Iterable[tuple[str, float]]) -> np.ndarray:
    """Return the codes of lines of text: three symbols in a row, two of them letters at least.

    Args:
        lines: text and how surely it was read, 0 to 1.

    Returns:
        As of `plate_codes`.
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
    codes = np.full(CODES_A_PHOTO, NOTHING, np.int32)
    kept = sorted(list(found)[:CODES_A_PHOTO])
    codes[: len(kept)] = kept
    return codes


def nothing_read(photos: int) -> np.ndarray:
    """Return the codes of photos of which nothing was read, photos x `CODES_A_PHOTO`."""
    return np.full((photos, CODES_A_PHOTO), NOTHING, np.int32)


@cache
def _reader_id() -> str:
    return f"rapidocr-{library_version('rapidocr')}-{LONGEST_SIDE}-{SUREST}"


def _reader() -> Any:
    with _loading:
        return _load_reader()


@cache
def _load_reader() -> Any:
    """PP-OCR by RapidOCR, its models from the wheel; one for all threads, each of which computes on one core."""
    import onnxruntime
    from rapidocr import RapidOCR

    onnxruntime.disable_telemetry_events()
    return RapidOCR(
        params={
            "Global.use_cls": False,  # meters hang upright; turning lines costs time and misreads numbers
            "Global.log_level": "error",
            "Det.limit_type": "max",
            "Det.limit_side_len": LONGEST_SIDE,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
