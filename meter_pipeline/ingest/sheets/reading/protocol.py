"""What both ends of the reading process know: the rows that come over, how it ends, how a file is opened."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path

import pyarrow as pa

OUT_OF_MEMORY = 74
"""Exit status of a process that could not get the memory it asked for."""
BROKEN_OFF = 75
"""Exit status of a process that failed in the middle of an answer."""
ROWS_SCHEMA = pa.schema(
    [
        ("sheet", pa.string()),
        ("row_number", pa.int64()),
        ("image_url", pa.string()),
        ("cells_position", pa.int64()),
        ("other_columns", pa.string()),
        ("reason", pa.string()),
    ]
)
"""Rows in order: the first row of the stream has position 0. The columns are described at table `drop_rows`."""


def open_file(path: Path) -> io.BufferedReader:
    """Open a file to read its bytes; a link, or what is no file, is not opened.

    Raises:
        OSError: it cannot be read now, or is no plain file.
    """
    # A name can become a link or a pipe after it was listed; opening a pipe would wait for its other end.
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.fdopen(os.open(path, flags), "rb")
    if stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
        return handle
    handle.close()
    raise OSError(errno.EINVAL, "it is not a plain file")


def whole_characters(text: str) -> str:
    """Return text that can be written as UTF-8: halves of characters, and bytes of odd file names, as numbers."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
