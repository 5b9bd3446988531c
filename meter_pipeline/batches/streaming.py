"""Photos through the network while others are still downloaded: the processor computes while the line is waited for.

What is computed here is what the asset `image_features` would compute; it does what is missing afterwards. Downloads
never wait for the network, which may take hours for what they bring in minutes: signed links expire meanwhile.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from meter_pipeline.errors import MeterError
from meter_pipeline.ingest.url_images import DownloadLimits, DownloadSummary, download_drops
from meter_pipeline.recognition.model_card import champion_version
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.library_errors import explained
from meter_pipeline.storage.masking import mask_urls
from meter_pipeline.storage.tables import IMAGE_FEATURES

QUEUED_PHOTOS = 256
"""Photos that may wait for the network; what comes beyond is left to `image_features`."""
_POLL_S = 0.5
"""On Windows a wait without an end is not interrupted by Ctrl-C."""

_logger = logging.getLogger(__name__)


def download_and_look(
    layout: Layout, limits: DownloadLimits, *, retry_failed: bool = False, refresh: bool = False
) -> DownloadSummary:
    """Fetch the URLs of the drops, and put photos through the champion as they come, if there is one.

    The downloads run in a thread of their own and the network in this one, so that whatever interrupts this thread
    ends both. A network that fails is said in the log, and holds up no download: `image_features` meets it again.

    Args:
        layout: the data directory.
        limits: see `download_drops`.
        retry_failed: see `download_drops`.
        refresh: see `download_drops`.

    Raises:
        StorageError: the disk is full or not ours to write; what came until then is kept.
        KeyboardInterrupt: the run was cancelled, or any other error that ends it; what came until then is kept.
    """
    if not _has_champion(layout):
        return download_drops(layout, limits, retry_failed=retry_failed, refresh=refresh)
    photos, cancelled = PhotosToCome(layout), threading.Event()

    def download() -> DownloadSummary:
        return download_drops(
            layout, limits, retry_failed=retry_failed, refresh=refresh, on_photos=photos.offer, cancelled=cancelled
        )

    def end(downloads: Future[DownloadSummary]) -> None:
        photos.end(at_once=downloads.exception() is not None)

    with ThreadPoolExecutor(1, thread_name_prefix="downloads") as beside:
        downloads = beside.submit(download)
        downloads.add_done_callback(end)
        try:
            if photos.wait():
                _look_at(photos, layout)
            while not downloads.done():
                wait([downloads], timeout=_POLL_S)
            return downloads.result()
        except BaseException:
            cancelled.set()
            raise


class PhotosToCome(Iterator[tuple[str, Path]]):
    """Photos on their way from the downloads to the network: image_id and file, each once.

    Args:
        layout: where the store is.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._waiting: deque[str] = deque()
        self._taken: set[bytes] = set()  # digests as bytes: there may be a million
        self._ended = False
        self._changed = threading.Condition()

    def offer(self, image_ids: Sequence[str]) -> None:
        """Hand photos over, as many as may wait; never waits."""
        with self._changed:
            for image_id in image_ids:
                if self._ended or len(self._waiting) >= QUEUED_PHOTOS:
                    break
                if (digest := bytes.fromhex(image_id)) not in self._taken:
                    self._taken.add(digest)
                    self._waiting.append(image_id)
            self._changed.notify_all()

    def end(self, *, at_once: bool = False) -> None:
        """Let no more photos come, and `at_once` let those go that wait."""
        with self._changed:
            self._ended = True
            if at_once:
                self._waiting.clear()
            self._changed.notify_all()

    def wait(self) -> bool:
        """Wait until a photo is there; return False if none will come."""
        with self._changed:
            self._wait()
            return bool(self._waiting)

    def __next__(self) -> tuple[str, Path]:
        """Wait for a photo and return it."""
        with self._changed:
            self._wait()
            if not self._waiting:
                raise StopIteration
            image_id = self._waiting.popleft()
        return image_id, self._layout.image(image_id)

    def _wait(self) -> None:
        while not (self._waiting or self._ended):
            self._changed.wait(_POLL_S)


def _has_champion(layout: Layout) -> bool:
    try:
        return champion_version(layout) is not None
    except MeterError:  # `image_features` says what is wrong with it
        return False


def _look_at(photos: PhotosToCome, layout: Layout) -> None:
    try:
        # Not before there is a photo: to import them takes seconds.
        from meter_pipeline.recognition.image_features import update_features
        from meter_pipeline.recognition.model_store import load_model

        update_features(layout.lake, IMAGE_FEATURES, load_model(layout), photos, plates=layout.plates)
    except Exception as error:  # of whatever kind: the same comes of it in `image_features`, where it is reported
        photos.end(at_once=True)
        said = explained(error, where=layout.root)
        _logger.warning(
            "Photos cannot be put through the network while others are downloaded: %s",
            mask_urls(said.what if said else f"{type(error).__name__}: {error}"),
        )
