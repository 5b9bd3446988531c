"""What a command says when something failed that nobody nearer to it said a word about; the traceback is kept."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime
from pathlib import Path

from meter_pipeline.defs.history_errors import history_error
from meter_pipeline.errors import MeterError
from meter_pipeline.settings import load_settings
from meter_pipeline.storage.files import write_text
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.library_errors import explained
from meter_pipeline.storage.masking import mask_urls

KEPT = 20
"""Tracebacks kept; the oldest are deleted."""
_PATTERN = "traceback-*.txt"
_logger = logging.getLogger(__name__)


def sentence_of(error: BaseException) -> MeterError:
    """Return any error as one that a person can act on; what is no MeterError has its traceback kept in a file."""
    if isinstance(error, MeterError):
        return error
    layout = _layout()
    kept = _keep(error, layout) if layout is not None else None
    known = history_error(error) or explained(error, where=layout.root if layout is not None else "")
    if known is not None:
        note = f" Details: {kept}" if kept else ""
        return MeterError(mask_urls(known.what), where=known.where, fix=f"{known.fix}{note}")
    last = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(last[-1].filename).name}, line {last[-1].lineno}" if last else ""
    return MeterError(
        f"This failed in a way that was not foreseen: {type(error).__name__}{place}.",
        where=kept or "",
        fix="Run `meter verify`; if it finds nothing, report this" + (" with that file." if kept else "."),
    )


def _layout() -> Layout | None:
    try:
        return Layout(load_settings().data_dir)
    except MeterError:
        return None


def _keep(error: BaseException, layout: Layout) -> Path | None:
    """Write the traceback into data/logs, without secrets; return the file, or None if it cannot be written."""
    folder = layout.failure_log.parent
    path = folder / f"traceback-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.txt"
    try:
        write_text(path, mask_urls("".join(traceback.format_exception(error))))
        for old in sorted(folder.glob(_PATTERN))[:-KEPT]:
            old.unlink(missing_ok=True)
    except (MeterError, OSError):  # a disk that is full or read-only is what is to be said, not this
        return None
    return path
