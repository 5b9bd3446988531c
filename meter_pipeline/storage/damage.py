"""What is said of a table whose files are missing, cut or changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from meter_pipeline.errors import MeterError

FIX = "Run `meter verify --mend`: what can be made anew is made anew."


@dataclass(frozen=True)
class Damage:
    """One damaged file of a table.

    Attributes:
        table: the table's name.
        path: the file.
        problem: what is wrong with it, as the end of a sentence: "is missing".
    """

    table: str
    path: Path
    problem: str


class DamagedTableError(MeterError):
    """A shard or a manifest is missing, cut, or does not hold what was written; nothing of it was used."""

    def __init__(self, what: str, *, table: str, where: Path) -> None:
        self.table = table
        super().__init__(what, where=where, fix=FIX)


class VanishedShardError(DamagedTableError):
    """A shard is not there; if its table was written since, the new manifest names others."""


def damaged(damage: Damage) -> DamagedTableError:
    """Return the error that says a damage."""
    return DamagedTableError(
        f"A file of the table {damage.table} {damage.problem}.", table=damage.table, where=damage.path
    )
