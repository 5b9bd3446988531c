"""What a look at a data directory found to be damaged or left over, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mending:
    """What can be done by a program, without loss of anything that a person made.

    Attributes:
        does: what is done, in a sentence.
        do: does it; may be ended at any point and done again. Returns what is to be said beside `does`: often nothing.
        then: the command that makes anew what was left out: `meter update`, `meter train`; empty where none is needed.
    """

    does: str
    do: Callable[[], str]
    then: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        part: of the data directory: tables, models, photos, ...
        what: what is wrong, in a sentence.
        where: the file or folder.
        fix: what a person does about it, in a sentence; what `mending` does is not repeated.
        mending: what a program can do; None: nothing.
    """

    part: str
    what: str
    where: Path
    fix: str = ""
    mending: Mending | None = None


Look = Generator[Finding, None, str]
"""Yields what it finds, each before it looks further, so that it can be mended at once; returns what was looked at."""
