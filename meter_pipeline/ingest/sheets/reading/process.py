"""Reads spreadsheets in a process of its own, with limits of memory and of time.

A spreadsheet of a kilobyte can ask for any amount of memory, and the libraries that read it can crash. Here that ends
the reading process and refuses the file; this process and the other files are unharmed. `worker` is what runs
in there.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

import psutil
import pyarrow as pa

from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.sheets.reading.protocol import OUT_OF_MEMORY
from meter_pipeline.settings import SheetSettings

POLL_S = 0.02
"""Between two looks at the process; memory fills by some 20 MB in that time."""
WAITS_PER_SECOND = 10
"""Seconds on the clock for a second of processor time: a busy machine gives a process a small share."""
LARGE_FILE_BYTES = 10_000_000
"""From here on a file may take longer, in proportion: 1,000,000 rows are 29 MB as xlsx, and 126 MB as CSV."""
RESTART_ABOVE = 0.25
"""Share of the memory limit that the process may still hold after a file; above, the next file gets a new process."""
RESULT_SHARE = 0.5
"""Of the memory limit, for the rows that come over: this process makes tables of them."""
MOST_HEADER_BYTES = 16_000_000
_ENDED_S = 10.0
_STDERR_LINES = 20
_ALLOCATION_FAILED = "memory allocation of"
"""What Rust says before it aborts."""
_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)
_WORKER = (sys.executable, "-P", "-m", "meter_pipeline.ingest.sheets.reading.worker")
"""-P: the folder that somebody happens to be in holds no modules of ours."""


class CostlySpreadsheetError(SpreadsheetError):
    """Reading the file takes more than a setting allows.

    Attributes:
        setting: name of the environment variable.
        value: what it allows.
    """

    def __init__(self, what: str, *, where: str, fix: str, setting: str, value: float) -> None:
        super().__init__(what, where=where, fix=fix)
        self.setting, self.value = setting, value


class InterruptedReadingError(SpreadsheetError):
    """The reading process was ended from outside: it says nothing about the file, which is tried again."""


class UnexpectedReadingError(SpreadsheetError):
    """The reader failed on the file in a way that nobody foresaw.

    Attributes:
        kind: name of the exception, or how the process ended, for the log.
    """

    def __init__(self, what: str, *, where: str, fix: str, kind: str) -> None:
        super().__init__(what, where=where, fix=fix)
        self.kind = kind


@dataclass(frozen=True)
class ReadSheets:
    """What was read from a file.

    Attributes:
        sha256: of the bytes that were read, in hex; None if the file is too large to be read.
        batches: the rows, in the schema of `protocol`; none if `in_doubt` has to be looked at first.
        rows: number of rows.
        refused_rows: number of rows among them without a URL that can be fetched.
        sheets: see `Spreadsheet`; so are the following.
        url_columns: headers.
        skipped: sheets.
        passed_over: columns.
        in_doubt: URLs.
    """

    sha256: str | None
    batches: list[pa.RecordBatch]
    rows: int
    refused_rows: int
    sheets: list[str] = field(default_factory=list)
    url_columns: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    in_doubt: list[str] = field(default_factory=list)


class ReadingProcess:
    """A process that reads files one after the other; it starts with the first, and anew after it was ended.

    Use it as a context manager. It is for one thread.

    Args:
        choice: sheet, column and limits.
        command: what runs in the process; only tests have another one.
    """

    def __init__(self, choice: SheetSettings, command: Sequence[str] = _WORKER) -> None:
        self._choice = choice
        self._command = [*command, str(choice.sheet_memory_mb)]
        self._process: subprocess.Popen[bytes] | None = None
        self._said: collections.deque[str] = collections.deque(maxlen=_STDERR_LINES)
        self._listener: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process; without one nothing happens."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # a file system that hangs holds it; it is killed later
            process.wait(_ENDED_S)
        if self._listener is not None:
            self._listener.join(_ENDED_S)
        for pipe in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]

    def read(self, path: Path, *, looked: Mapping[str, bool] | None = None, only_if_sure: bool = False) -> ReadSheets:
        """Read a spreadsheet.

        Args:
            path: the file; links are not followed.
            looked: see `read_spreadsheet`.
            only_if_sure: hand over no rows while a look at `in_doubt` decides which columns are meant.

        Raises:
            SpreadsheetError: the file is refused; its subclasses in this module say more.
            OSError: the file cannot be read now.
        """
        seconds = self._choice.sheet_seconds * max(1.0, path.lstat().st_size / LARGE_FILE_BYTES)
        request = {
            "path": str(path),
            "choice": self._choice.model_dump(include={"url_column", "sheet", "max_rows"}),
            "looked": None if looked is None else dict(looked),
            "only_if_sure": only_if_sure,
            "processor_seconds": seconds,
        }
        process = self._running()
        answer = _Answer(process.stdout, int(RESULT_SHARE * (self._choice.sheet_memory_mb << 20)))  # type: ignore[arg-type]
        watched = psutil.Process(process.pid)
        reusable = False
        try:
            with contextlib.suppress(OSError):  # it ended already, and says nothing more
                process.stdin.write(json.dumps(request).encode() + b"\n")  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]
            self._watch(path, watched, answer, seconds)
            if answer.about is None:
                raise self._ended(path, process, answer)
            # What is left of a large file, or of a failure, is not the next file's burden.
            reusable = answer.about["state"] != "failed" and _resident(watched) <= RESTART_ABOVE * (
                self._choice.sheet_memory_mb << 20
            )
            return _judged(path, answer)
        finally:
            if not reusable:
                self.close()
            answer.join(_ENDED_S)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if self._process is None:
            self._said.clear()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(),
                creationflags=_NO_WINDOW,
            )
            self._listener = threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True)
            self._listener.start()
        return self._process

    def _listen(self, stream: IO[bytes]) -> None:
        # Read to its end, or the process would wait for room; never logged, since it may quote what is in the file.
        with contextlib.suppress(OSError, ValueError):
            while line := stream.readline(10_000):
                self._said.append(line.decode("utf-8", "replace"))

    def _watch(self, path: Path, watched: psutil.Process, answer: _Answer, seconds: float) -> None:
        """Wait for the answer; end the process if it takes too much."""
        started, used_before = time.monotonic(), _processor_seconds(watched)
        limit_bytes = self._choice.sheet_memory_mb << 20
        while not answer.wait(POLL_S):
            if _resident(watched) > limit_bytes or answer.too_large:
                self.close()
                raise self._too_much_memory(path)
            if (
                _processor_seconds(watched) - used_before > seconds
                or time.monotonic() - started > WAITS_PER_SECOND * seconds
            ):
                self.close()
                raise CostlySpreadsheetError(
                    f"Reading it takes more than {seconds:,.0f} seconds of processor time.",
                    where=path.name,
                    fix="Split it into several files, or copy only its rows into a new workbook; if it is as it should"
                    f" be, raise METER_SHEET_SECONDS (now {self._choice.sheet_seconds:g}).",
                    setting="METER_SHEET_SECONDS",
                    value=self._choice.sheet_seconds,
                )
        if answer.too_large:
            raise self._too_much_memory(path)

    def _too_much_memory(self, path: Path) -> CostlySpreadsheetError:
        limit = self._choice.sheet_memory_mb
        return CostlySpreadsheetError(
            f"Reading it takes more than {limit:,} MB of memory.",
            where=path.name,
            fix="Split it into several files, or copy only its rows into a new workbook; if it is as it should be,"
            f" raise METER_SHEET_MEMORY_MB (now {limit}).",
            setting="METER_SHEET_MEMORY_MB",
            value=limit,
        )

    def _ended(self, path: Path, process: subprocess.Popen[bytes], answer: _Answer) -> SpreadsheetError:
        """Return the error for a process that ended, or broke off, before its answer was whole."""
        try:
            status = process.wait(_ENDED_S)
        except subprocess.TimeoutExpired:  # it lives, and its answer makes no sense
            return _crashed(path, type(answer.error).__name__)
        self.close()  # and with it everything that it said was read
        if status == OUT_OF_MEMORY or any(_ALLOCATION_FAILED in line for line in self._said):
            return self._too_much_memory(path)
        if status == -getattr(signal, "SIGKILL", 9):  # not by us
            return InterruptedReadingError(
                "The process that reads it was ended from outside, as systems do when memory runs out.",
                where=path.name,
                fix="The next run tries it again; close other programs, or lower METER_SHEET_MEMORY_MB.",
            )
        return _crashed(path, _ending(status))


class _Answer:
    """Takes an answer from the process, in a thread, so that the process can be watched meanwhile."""

    def __init__(self, stream: IO[bytes], most_bytes: int) -> None:
        self.about: dict[str, Any] | None = None
        self.batches: list[pa.RecordBatch] = []
        self.error: Exception | None = None
        self.too_large = False
        self._stream, self._most_bytes = stream, most_bytes
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the answer; return whether it came."""
        return self._done.wait(seconds)

    def join(self, seconds: float) -> None:
        """Wait for the thread."""
        self._thread.join(seconds)

    def _take(self) -> None:
        try:
            line = self._stream.readline(MOST_HEADER_BYTES)
            about = json.loads(line)
            if about["state"] == "read":
                size = 0
                with pa.ipc.open_stream(self._stream) as stream:
                    for batch in stream:
                        size += batch.nbytes
                        if size > self._most_bytes:
                            self.too_large = True
                            return
                        self.batches.append(batch)
            self.about = about
        except Exception as error:  # the stream is broken off wherever the process ends
            self.error = error
        finally:
            self._done.set()


def _judged(path: Path, answer: _Answer) -> ReadSheets:
    about = dict(answer.about or {})
    state = about.pop("state")
    if state == "refused":
        raise SpreadsheetError(about["what"], where=about["where"], fix=about["fix"])
    if state == "not opened":
        raise OSError(about["errno"], about["what"])
    if state == "failed":
        raise _crashed(path, about["kind"])
    return ReadSheets(batches=answer.batches, **about)


def _crashed(path: Path, kind: str) -> UnexpectedReadingError:
    return UnexpectedReadingError(
        f"The program that reads it failed on it ({kind}).",
        where=path.name,
        fix="Open it in a spreadsheet program and save it as a new .xlsx; if that is refused too, report it with"
        " the file.",
        kind=kind,
    )


def _ending(status: int) -> str:
    if status < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-status).name
    return f"exit status {status if status < 1 << 31 else hex(status)}"


def _environment() -> dict[str, str]:
    """Return this process's environment, with which the other one finds the same package."""
    ours = str(Path(__file__).resolve().parents[4])
    theirs = os.environ.get("PYTHONPATH")
    paths = [ours, theirs] if theirs else [ours]
    # The system's allocator gives memory back; Arrow's own reserves a gigabyte of addresses at once.
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "ARROW_DEFAULT_MEMORY_POOL": "system"}


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:  # it ended; its answer says how
        return 0


def _processor_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return times.user + times.system
