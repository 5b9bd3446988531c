"""Commands of `meter` that the dashboard starts as processes of their own, on its data directory."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

from meter_pipeline.errors import MeterError
from meter_pipeline.settings import PROJECT_DIR
from meter_pipeline.storage.layout import Layout

METER = (sys.executable, "-m", "meter_pipeline.cli")
COMMAND_TIMEOUT_S = 900.0
"""For a command that a person waits for. Taking a model into use waits while a run writes the same tables."""
OF_A_SERVER = frozenset(
    {"MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "ARROW_DEFAULT_MEMORY_POOL"}
)
"""Variables with which `meter dashboard` keeps its memory small; a training would be slow with them."""


@dataclass(frozen=True)
class Answer:
    """How a command ended.

    Attributes:
        ok: whether it did what was asked.
        text: what it printed.
    """

    ok: bool
    text: str


def environment_for(layout: Layout) -> dict[str, str]:
    """Return the environment of a command on a data directory: this process's, without what is a server's alone."""
    own = {name: value for name, value in os.environ.items() if name not in OF_A_SERVER}
    return {**own, "METER_DATA_DIR": str(layout.root), "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", "COLUMNS": "160"}


def accept_model(layout: Layout, version: str, *, why: str, by: str) -> Answer:
    """Take a model into use whatever the gate said of it, as `meter model accept` does.

    Raises:
        MeterError: no reason was given, or the command could not be run to its end.
    """
    return _run(layout, "model", "accept", *_reason(why, by), "--", version)


def roll_back(layout: Layout, version: str, *, why: str, by: str) -> Answer:
    """Go back to an earlier model, as `meter model rollback` does.

    Raises:
        MeterError: no reason was given, or the command could not be run to its end.
    """
    return _run(layout, "model", "rollback", *_reason(why, by), "--", version)


def _reason(why: str, by: str) -> tuple[str, str]:
    """Return the options for a reason and a person; each is one word, whatever it begins with."""
    if not why.strip():
        raise MeterError("No reason was given.", fix="Say why; it stands in the history of the models.")
    return f"--why={' '.join(why.split())}", f"--by={' '.join(by.split())}"


def _run(layout: Layout, *arguments: str) -> Answer:
    try:
        done = subprocess.run(
            [*METER, *arguments],
            env=environment_for(layout),
            cwd=PROJECT_DIR,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise MeterError(
            f"It took longer than {COMMAND_TIMEOUT_S / 60:.0f} minutes and was stopped.",
            fix="Another run may be at work: look into Dagster's UI (meter dev), then try again.",
        ) from error
    except OSError as error:
        raise MeterError(f"It could not be started: {error.strerror or error}.") from error
    return Answer(done.returncode == 0, done.stdout.strip())
