"""Starts a command that goes on when whoever started it ends, and writes down how it ended. Standard library only.

The command has a keeper: a process that waits for it. Between the dashboard and the keeper stands a starter that ends
at once, so that the keeper is nobody's child: `meter dashboard` ends its children when it stops.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

START_TIMEOUT_S = 60.0
"""For the starter, which starts one Python; a machine that is busy takes some seconds."""
_MODULE = "meter_pipeline.dashboard.processes.detached"
_START, _KEEP = "start", "keep"


def start_detached(
    command: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: Path, ended: Path
) -> int:
    """Start a command that nobody waits for, and return the id of the process that keeps it.

    Args:
        command: program and arguments.
        environment: its environment.
        folder: its working directory, from which `meter_pipeline` can be imported.
        log: what it prints, both outputs; emptied first.
        ended: a JSON, with `pid` of the command while it runs, then with its `exit_code`.

    Raises:
        OSError: it cannot be started.
        subprocess.SubprocessError: likewise.
    """
    done = subprocess.run(
        [sys.executable, "-m", _MODULE, _START, str(log), str(ended), *command],
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=START_TIMEOUT_S,
        check=True,
    )
    return int(done.stdout)


def _start(arguments: Sequence[str]) -> None:
    """Start the keeper in a session of its own, and print its process id."""
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    keeper = subprocess.Popen(
        [sys.executable, "-m", _MODULE, _KEEP, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        creationflags=flags,
    )
    print(keeper.pid)
    sys.stdout.flush()
    os._exit(0)  # without waiting for the keeper, and without Python's warning that it still runs


def _keep(log: Path, ended: Path, command: Sequence[str]) -> None:
    """Run the command to its end with its output in a log, and write down how it ended."""
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        except OSError as error:
            output.write(f"It could not be started: {error}\n".encode())
            _note(ended, {"exit_code": 1})
            return
        _note(ended, {"pid": process.pid})
        _note(ended, {"exit_code": process.wait()})


def _note(path: Path, content: Mapping[str, int]) -> None:
    """Write a file completely or not at all."""
    beside = path.with_name(f".tmp-{path.name}")
    beside.write_text(json.dumps(content), encoding="utf-8")
    beside.replace(path)


def main() -> None:
    """Be the starter, or the keeper."""
    role, *arguments = sys.argv[1:]
    if role == _START:
        _start(arguments)
    else:
        log, ended, *command = arguments
        _keep(Path(log), Path(ended), command)


if __name__ == "__main__":
    main()
