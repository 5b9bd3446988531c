"""JSON files that carry a hash of what they say, so that a changed letter is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from meter_pipeline.storage.files import write_bytes

SEAL = "sha256"
"""The field that holds the hash of all others."""


class SealError(ValueError):
    """A file is not one of ours, or does not say what was written."""


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object with its hash, completely or not at all."""
    write_bytes(path, sealed(content))


def sealed(content: Mapping[str, Any], *, indent: int | None = 2) -> bytes:
    """Return a JSON object with its hash as it is written; without indent it is one line, and made faster."""
    whole = {**content, SEAL: seal_of(content)}
    return (json.dumps(whole, indent=indent, sort_keys=True, ensure_ascii=False, default=str) + "\n").encode()


def read_sealed(path: Path, *, by_hand: bool = False) -> dict[str, Any]:
    """Read a JSON object, without its hash.

    Args:
        path: the file.
        by_hand: whether a person may have written it, without a hash.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: it is no JSON, or not what was written; the message is the end of a sentence.
    """
    content = read_object(path)
    seal = content.pop(SEAL, None)
    if seal is None and by_hand:
        return content
    if seal is None:
        raise SealError("carries no hash of itself: it is damaged, or of an older version of this program")
    if seal != seal_of(content):
        raise SealError("does not say what was written (its hash differs)")
    return content


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object as it is; raises as `read_sealed`."""
    raw = path.read_bytes()
    try:
        content = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise SealError("is no text") from error
    except (ValueError, RecursionError) as error:
        raise SealError(f"is cut or no JSON ({error})" if raw else "is empty") from error
    if not isinstance(content, dict):
        raise SealError("is not what was written (it holds no object)")
    return content


def problem_of(error: Exception) -> str:
    """Return what is wrong with a file, as the end of a sentence, by the error that reading it or using it gave."""
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    return str(error) if isinstance(error, SealError) else "does not hold the fields that it should"


def seal_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what a JSON object says, however it is spaced and ordered."""
    as_read = json.loads(json.dumps(content, default=str))
    return hashlib.sha256(json.dumps(as_read, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
