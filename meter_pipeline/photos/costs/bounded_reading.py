"""A file in memory that a decoder reads from, until it took more reads, bytes or time of a core than a photo needs.

Decoders of Pillow parse headers in Python and fetch pixels piece by piece, and both come here for each piece: a file of
a million empty parts, or one whose parts point to each other, ends here, whatever its format is.
"""

from __future__ import annotations

import io
import time

MOST_READS = 300_000
"""A photo of 50 megapixels takes some ten thousand; so many take a second or two."""
READ_OVER = 8
"""Times that a file may be read over: headers are read twice, pictures once."""
READ_AT_LEAST = 64_000_000
"""Bytes that any file may give, however small it is."""
MOST_SECONDS = 30.0
"""Seconds of one core for one decode; 200 megapixels take three."""
LONG_PIECE = 60_000
"""Bytes; decoders are given 65,536 at a time."""
READS_PER_LOOK = 1_000
"""Short reads between two looks at the clock."""


class TooMuchWorkError(Exception):
    """The decoder took more than a photo needs; the message says of what."""


class BoundedReader(io.BytesIO):
    """The bytes of a photo, with a limit on what is read of them.

    Args:
        content: the file.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._reads = 0
        self._bytes = 0
        self._most_bytes = READ_AT_LEAST + READ_OVER * len(content)
        self._until = time.thread_time() + MOST_SECONDS

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to `size` bytes.

        Raises:
            TooMuchWorkError: a limit is passed.
        """
        piece = super().read(size)
        self._reads += 1
        self._bytes += len(piece)
        if self._reads > MOST_READS:
            raise TooMuchWorkError("it is made of more parts than a picture has")
        if self._bytes > self._most_bytes:
            raise TooMuchWorkError("its parts refer to the same bytes again and again")
        # Asking for the time takes longer than a short read.
        if (len(piece) >= LONG_PIECE or self._reads % READS_PER_LOOK == 0) and time.thread_time() > self._until:
            raise TooMuchWorkError(f"it took more than {MOST_SECONDS:.0f} s of a core")
        return piece
