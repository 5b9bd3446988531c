"""What is said of a table whose files are missing, cut or changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from meter_pipeline.errors import MeterError

FIX = "Run `meter verify --mend`: what can be made anew is made anew."
FIX_OF_UNREAD = (
    "It may be sound: nothing is done to it. Let it be readable (its rights, programs that hold it open, the disk). If"
    " it stays so, move it away, then run: meter verify --mend"
)


@dataclass(frozen=True)
class Damage:
    """One damaged file of a table.

    Attributes:
        table: the table's name.
        path: the file.
        problem: what is wrong with it, as the end of a sentence: "is missing".
        may_pass: it could not be read now and may be sound: nothing is mended by it.
    """

    table: str
    path: Path
    problem: str
    may_pass: bool = False


class DamagedTableError(MeterError):
    """A shard or a manifest is missing, cut, or does not hold what was written; nothing of it was used."""

    def __init__(self, what: str, *, table: str, where: Path, fix: str = FIX) -> None:
        self.table = table
        super().__init__(what, where=where, fix=fix)


class VanishedShardError(DamagedTableError):
    """A shard is not there; if its table was written since, the new manifest names others."""


def damaged(damage: Damage) -> DamagedTableError:
    """Return the error that says a damage."""
    fix = FIX_OF_UNREAD if damage.may_pass else FIX
    what = f"A file of the table {damage.table} {damage.problem}."
    return DamagedTableError(what, table=damage.table, where=damage.path, fix=fix)
