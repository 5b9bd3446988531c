"""A pool of threads that fetches URLs and gives the results to one writer, in batches.

No host is asked for more than its share at once (`host_queues`). The pool stops at the first problem, whether it comes
from a thread, from the writer or from outside (a cancelled run), and gives back what was not written yet.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from meter_pipeline.ingest.web.fetching import CancelledError, Fetched, Fetcher, Validators
from meter_pipeline.ingest.web.host_queues import HostQueues

FLUSH_INTERVAL_S = 1.0
FLUSH_ROWS = 64
"""Rows that are worth a write; fewer are written after `FLUSH_INTERVAL_S`."""
FEWEST_S_BETWEEN_FLUSHES = 0.5
"""A host that is down gives thousands of rows per second; a write takes 20 ms, however many rows it has."""
QUEUED_ROWS = 256
"""Results that may wait for the writer."""
_POLL_S = 0.1

Row = dict[str, object]


@dataclass
class Unwritten:
    """What was not written when the fetching ended.

    Attributes:
        rows: results, in order of arrival.
        problem: why it ended early; None if all URLs were fetched.
    """

    rows: list[Row] = field(default_factory=list)
    problem: BaseException | None = None


@dataclass(frozen=True)
class DownloadPool:
    """Threads that fetch URLs.

    Attributes:
        fetcher: fetches one URL; shared by all threads.
        row_of: makes a row of what a URL gave; called from several threads at once.
        threads: downloads at a time.
        per_host: downloads at a time from one host.
    """

    fetcher: Fetcher
    row_of: Callable[[str, Fetched], Row]
    threads: int
    per_host: int

    def fetch(
        self,
        urls: Sequence[str],
        known: Mapping[str, Validators],
        write: Callable[[list[Row]], None],
        *,
        cancelled: threading.Event | None = None,
    ) -> Unwritten:
        """Fetch every URL once.

        Args:
            urls: cleaned URLs, no two alike.
            known: by what a server can tell that the photo of a URL is still the same.
            write: called in this thread with the rows that have come since the last call.
            cancelled: set by another thread to end it; the problem is then a `CancelledError`.
        """
        results: queue.Queue[Row | BaseException] = queue.Queue(maxsize=QUEUED_ROWS)
        stopped, left = threading.Event(), Unwritten()
        waiting = HostQueues(urls, self.per_host, stopped)

        def stop(problem: BaseException) -> None:
            left.problem = left.problem or problem
            stopped.set()
            self.fetcher.cancel()

        threads = [
            threading.Thread(target=self._work, args=(waiting, known, results), name=f"download-{number}", daemon=True)
            for number in range(min(self.threads, len(urls)))
        ]
        for thread in threads:
            thread.start()
        written = time.monotonic()
        while any(thread.is_alive() for thread in threads) or not results.empty():
            try:
                with suppress(queue.Empty):
                    result = results.get(timeout=_POLL_S)
                    if isinstance(result, BaseException):
                        stop(result)
                    else:
                        left.rows.append(result)
                if left.problem is None and cancelled is not None and cancelled.is_set():
                    stop(CancelledError())
                waited_s = time.monotonic() - written
                is_worth_it = len(left.rows) >= FLUSH_ROWS and waited_s >= FEWEST_S_BETWEEN_FLUSHES
                due = is_worth_it or waited_s >= FLUSH_INTERVAL_S
                if left.rows and due and left.problem is None:
                    write(left.rows)
                    left.rows = []
                    written = time.monotonic()
            except BaseException as error:  # cancelled, or the disk is full: let the threads end, keep what they bring
                stop(error)
        return left

    def _work(
        self, waiting: HostQueues, known: Mapping[str, Validators], results: queue.Queue[Row | BaseException]
    ) -> None:
        """Fetch URLs until none are left; what ends this thread otherwise goes into the results too."""
        try:
            while (url := waiting.take()) is not None:
                try:
                    fetched = self.fetcher.fetch(url, known.get(url))
                finally:
                    waiting.done(url)
                results.put(self.row_of(url, fetched))
        except CancelledError:
            pass
        except BaseException as error:
            results.put(error)
