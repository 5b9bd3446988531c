"""The streams of a compound file (OLE), the container of old Office files; a broken container has none."""

from __future__ import annotations

import io
import struct

import olefile

# What olefile raises on hostile directories and sectors besides its own errors, which are OSErrors.
_BROKEN = (OSError, ValueError, IndexError, KeyError, TypeError, OverflowError, RecursionError, struct.error)


def top_streams(content: bytes) -> frozenset[str]:
    """Return the names of the streams and storages at the top; empty if the container is broken."""
    try:
        with olefile.OleFileIO(io.BytesIO(content)) as container:
            return frozenset(path[0] for path in container.listdir(streams=True, storages=True) if path)
    except _BROKEN:
        return frozenset()


def stream(content: bytes, *names: str) -> bytes:
    """Return the first stream of these names at the top; empty if there is none, or the container is broken."""
    try:
        with olefile.OleFileIO(io.BytesIO(content)) as container:
            for name in names:
                if container.exists(name):
                    with container.openstream(name) as opened:
                        return bytes(opened.read())
    except _BROKEN:
        return b""
    return b""


def replaced(content: bytes, name: str, data: bytes) -> bytes:
    """Return the file with a stream's content replaced by as many other bytes; empty if that is not possible."""
    try:
        changed = io.BytesIO(content)
        with olefile.OleFileIO(changed, write_mode=True) as container:
            if not container.exists(name):
                return b""
            container.write_stream(name, data)
            return changed.getvalue()
    except _BROKEN:
        return b""
