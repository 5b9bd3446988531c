"""The program that runs in the reading process: takes a request per line, answers with the rows of a spreadsheet.

A request is a line of JSON. The answer is a line of JSON, followed by an Arrow stream of the rows where the file could
be read. `process` is the other end; the limits of time and of memory are watched from there. What is in here
loads no pandas and no torch: it starts while somebody waits.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa

from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.sheets.accepted_files import MAX_FILE_BYTES
from meter_pipeline.ingest.sheets.reading.protocol import (
    BROKEN_OFF,
    OUT_OF_MEMORY,
    ROWS_SCHEMA,
    open_file,
    whole_characters,
)
from meter_pipeline.ingest.sheets.spreadsheets import SheetRow, read_spreadsheet

BATCH_ROWS = 20_000
BATCH_CHARACTERS = 16_000_000
"""Rows and characters that are sent at a time, so that neither end holds all rows twice."""
SHOWN_NAMES = 200
SHOWN_CHARACTERS = 300
"""Of the names of sheets and columns, which are for people to read: a header may hold a megabyte."""
_EXTRA_ADDRESS_SPACE_BYTES = 1 << 30
"""Address space is not memory: stacks, libraries and what the allocator reserves count too."""


class _Choice(NamedTuple):
    """`spreadsheets.SheetChoice`, as the request has it."""

    url_column: str | None
    sheet: str | None
    max_rows: int


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests one after the other until there are no more; die at once if the other end does.

    Args:
        requests: lines of JSON with `path`, `choice`, `looked` and `only_if_sure`.
        answers: see the module.
    """
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def receive() -> None:
        for line in requests:
            waiting.put(line)
        os._exit(0)  # closed, or the other end is gone: nobody waits for what is being read

    threading.Thread(target=receive, daemon=True).start()
    while True:
        _answer(json.loads(waiting.get()), answers)


def _answer(request: dict[str, Any], answers: BinaryIO) -> None:
    choice = _Choice(**request["choice"])
    _limit_processor_seconds(request["processor_seconds"])
    path, sheets = Path(request["path"]), None
    about: dict[str, Any] = {}
    try:
        content = _content(path)
        about["sha256"] = None if content is None else hashlib.sha256(content).hexdigest()
        sheets = read_spreadsheet(path, choice, content=content, looked=request["looked"])
        del content
        to_be_looked_at = request["only_if_sure"] and bool(sheets.in_doubt)
        about |= {"state": "in doubt" if to_be_looked_at else "read", "in_doubt": sheets.in_doubt}
        about |= {"rows": len(sheets.rows), "refused_rows": len(sheets.refused)}
        for name in ("sheets", "url_columns", "skipped", "passed_over"):
            about[name] = _shown(getattr(sheets, name))
    except SpreadsheetError as error:
        about = {"state": "refused", "what": error.what, "where": error.where, "fix": error.fix}
    except OSError as error:
        about = {"state": "not opened", "errno": error.errno, "what": error.strerror or type(error).__name__}
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except BaseException as error:  # a panic of the workbooks' reader is no Exception
        about = {"state": "failed", "kind": type(error).__name__}
    answers.write(json.dumps(about).encode() + b"\n")
    if about["state"] == "read" and sheets is not None:
        try:
            with pa.ipc.new_stream(answers, ROWS_SCHEMA) as stream:
                for batch in _batches(sheets.rows):
                    stream.write_batch(batch)
        except MemoryError:
            os._exit(OUT_OF_MEMORY)
        except BaseException:  # in the middle of the rows nothing else can be said
            os._exit(BROKEN_OFF)
    answers.flush()


def _content(path: Path) -> bytes | None:
    """Return the file's bytes; None for a file so large that the reader refuses it by its size."""
    with open_file(path) as handle:
        return handle.read() if os.fstat(handle.fileno()).st_size <= MAX_FILE_BYTES else None


def _batches(rows: list[SheetRow]) -> Iterator[pa.RecordBatch]:
    """Yield the rows as Arrow; the list's entries are given up on the way, so that their memory is free again."""
    columns: dict[str, list[Any]] = {name: [] for name in ROWS_SCHEMA.names}
    characters = 0
    carried: dict[str, str] | None = None
    carried_at, carried_row = 0, 0
    for position in range(len(rows)):
        row = rows[position]
        rows[position] = None  # type: ignore[call-overload]
        cells = None
        if row.other_columns is not carried or row.row_number != carried_row:  # the URLs of one row share one dict
            carried, carried_at, carried_row = row.other_columns, position, row.row_number
            cells = json.dumps(row.other_columns, ensure_ascii=False)
            characters += len(cells)
        columns["sheet"].append(row.sheet)
        columns["row_number"].append(row.row_number)
        columns["image_url"].append(row.image_url)
        columns["cells_position"].append(carried_at)
        columns["other_columns"].append(cells)
        columns["reason"].append(row.reason)
        characters += len(row.image_url)
        if len(columns["sheet"]) >= BATCH_ROWS or characters >= BATCH_CHARACTERS:
            yield _batch(columns)
            columns, characters = {name: [] for name in ROWS_SCHEMA.names}, 0
    if columns["sheet"]:
        yield _batch(columns)


def _batch(columns: dict[str, list[Any]]) -> pa.RecordBatch:
    arrays = []
    for field in ROWS_SCHEMA:
        values = columns[field.name]
        try:
            arrays.append(pa.array(values, field.type))
        except UnicodeEncodeError:  # half a character, as UTF-16 and JSON can hold it
            arrays.append(pa.array([value if value is None else whole_characters(value) for value in values]))
    return pa.record_batch(arrays, schema=ROWS_SCHEMA)


def _shown(names: list[str]) -> list[str]:
    shown = [n if len(n) <= SHOWN_CHARACTERS else n[: SHOWN_CHARACTERS - 3] + "..." for n in names[:SHOWN_NAMES]]
    more = len(names) - len(shown)
    return [*shown, f"and {more:,} more"] if more else shown


def _limit_processor_seconds(seconds: float) -> None:
    """Let the system end this process if nobody does: the other end may be gone while a workbook's reader is busy."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        wanted = int(used.ru_utime + used.ru_stime + 2 * seconds + 10)
        resource.setrlimit(resource.RLIMIT_CPU, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _limit_address_space(memory_mb: int) -> None:
    """Let an allocation in one go fail, which is too fast to be seen from outside; generously above the limit."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        import psutil

        # Python's own word for it on macOS is a limit that the system then does not keep; it does no harm there.
        wanted = psutil.Process().memory_info().vms + 2 * (memory_mb << 20) + _EXTRA_ADDRESS_SPACE_BYTES
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    with contextlib.suppress(OSError):  # Linux: where the machine runs out of memory, this process goes first
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def main() -> None:
    """Serve on standard input and output; anything printed goes nowhere."""
    _limit_address_space(int(sys.argv[1]))
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
