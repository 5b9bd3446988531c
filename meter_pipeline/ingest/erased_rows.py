"""What was erased and must not come back while its spreadsheet still lies in the drops folder: `data/erased.json`.

URLs, cells and photos are kept as keyed hashes, never as they are. The key lies in the same file, so whoever has the
file can try out guesses: it tells whether a certain account number was erased, not which ones were. Names of columns
are kept as they are. What `meter erase` takes away is in the package `erasure`; here is what reading a sheet asks for.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from meter_pipeline.errors import MeterError
from meter_pipeline.labels import class_key
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.sealed_json import read_sealed, write_sealed

KEY_BYTES = 16
HASH_BYTES = 16


@dataclass(frozen=True)
class ErasedRows:
    """What was erased by its URL or by a cell, and the photos that went with it.

    Attributes:
        key: of the hashes, in hex; empty where nothing was erased yet.
        urls: hashes of URLs.
        cells: hashes of texts by the key of their column's header (`labels.class_key`).
        photos: hashes of image_ids.
    """

    key: str = ""
    urls: frozenset[str] = frozenset()
    cells: Mapping[str, frozenset[str]] = field(default_factory=dict)
    photos: frozenset[str] = frozenset()

    @classmethod
    def read(cls, layout: Layout) -> ErasedRows:
        """Read what was erased; nothing where there is no file.

        Raises:
            MeterError: the file is damaged; without it, what was erased would come back.
        """
        try:
            content = read_sealed(layout.erased)
            cells = {str(name): frozenset(hashes) for name, hashes in content["cells"].items()}
            return cls(content["key"], frozenset(content["urls"]), cells, frozenset(content["photos"]))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise MeterError(
                "The list of what was erased cannot be read; without it, erased rows would come back.",
                where=layout.erased,
                fix="Restore it from a backup. If there is none, delete it, and erase again what still lies in drops.",
            ) from error

    def write(self, layout: Layout) -> None:
        """Write it, completely or not at all.

        Raises:
            StorageError: the disk is full or not ours to write.
        """
        cells = {name: sorted(hashes) for name, hashes in sorted(self.cells.items())}
        content = {"key": self.key, "urls": sorted(self.urls), "cells": cells, "photos": sorted(self.photos)}
        write_sealed(layout.erased, content)
        layout.erased.chmod(0o600)  # whoever has the key can try out guesses

    def with_url(self, url: str) -> ErasedRows:
        """Return it with a URL more."""
        keyed = self._keyed()
        return replace(keyed, urls=keyed.urls | {keyed._hash("url", url)})

    def with_cell(self, column: str, text: str) -> ErasedRows:
        """Return it with a column's text more; case and blanks do not count."""
        keyed, name = self._keyed(), class_key(column)
        hashes = keyed.cells.get(name, frozenset()) | {keyed._hash("cell", class_key(text))}
        return replace(keyed, cells={**keyed.cells, name: hashes})

    def with_photos(self, image_ids: Iterable[str]) -> ErasedRows:
        """Return it with photos more."""
        keyed = self._keyed()
        return replace(keyed, photos=keyed.photos | {keyed._hash("photo", image_id) for image_id in image_ids})

    def has_url(self, url: str) -> bool:
        """Return whether a URL was erased."""
        return bool(self.urls) and self._hash("url", url) in self.urls

    def has_cell(self, cells: Mapping[str, str]) -> bool:
        """Return whether a sheet row was erased, by its cells: header to text."""
        for header, text in cells.items():
            hashes = self.cells.get(class_key(header))
            if hashes and self._hash("cell", class_key(text)) in hashes:
                return True
        return False

    def has_photo(self, image_id: str) -> bool:
        """Return whether a photo was erased; it may have come back with another drop."""
        return bool(self.photos) and self._hash("photo", image_id) in self.photos

    def without(self, rows: pa.Table) -> pa.Table:
        """Return rows of `drop_rows` without those that were erased; positions stay as they are."""
        gone = self.among(rows)
        return without_rows(rows, gone) if gone.any() else rows

    def among(self, rows: pa.Table) -> np.ndarray:
        """Return which rows of `drop_rows` were erased, as a mask."""
        gone = np.zeros(rows.num_rows, bool)
        if self.urls:
            gone |= np.fromiter(map(self.has_url, rows["image_url"].to_pylist()), bool, rows.num_rows)
        if self.cells:
            gone |= rows_with_cells(rows, self.has_cell)
        return gone

    def _keyed(self) -> ErasedRows:
        return self if self.key else replace(self, key=secrets.token_hex(KEY_BYTES))

    def _hash(self, kind: str, text: str) -> str:
        content = f"{kind}\0{text}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(content, key=bytes.fromhex(self.key), digest_size=HASH_BYTES).hexdigest()


def rows_with_cells(rows: pa.Table, wanted: Callable[[Mapping[str, str]], bool]) -> np.ndarray:
    """Return which rows of `drop_rows` have cells that are wanted, as a mask; URLs of one sheet row share its cells.

    Args:
        rows: the rows, all those of a drop.
        wanted: called with the cells of a sheet row, header to text.
    """
    drops, positions, carriers, cells = (
        rows[name].to_pylist() for name in ("drop", "position", "cells_position", "other_columns")
    )
    found = {
        (drop, position)
        for drop, position, text in zip(drops, positions, cells, strict=True)
        if text is not None and wanted(json.loads(text))
    }
    of_row = (
        (drop, position if carrier is None else carrier)
        for drop, position, carrier in zip(drops, positions, carriers, strict=True)
    )
    return np.fromiter((place in found for place in of_row), bool, rows.num_rows)


def without_rows(rows: pa.Table, gone: np.ndarray) -> pa.Table:
    """Return rows of `drop_rows` without some of them.

    Where the row that carries a sheet row's cells goes and other URLs of that sheet row stay, the first of these
    carries them.

    Args:
        rows: the rows, all those of a drop.
        gone: which rows go, as a mask.
    """
    drops, positions, carriers, cells = (
        rows[name].to_pylist() for name in ("drop", "position", "cells_position", "other_columns")
    )
    groups: dict[tuple[str, int], list[int]] = defaultdict(list)
    for row, (drop, position, carrier) in enumerate(zip(drops, positions, carriers, strict=True)):
        groups[drop, position if carrier is None else carrier].append(row)
    for (_, carrier), members in groups.items():
        left = [row for row in members if not gone[row]]
        if not left or len(left) == len(members) or positions[left[0]] == carrier:
            continue
        text = next((cells[row] for row in members if cells[row] is not None), None)
        for row in left:
            carriers[row], cells[row] = positions[left[0]], None
        cells[left[0]] = text
    schema = rows.schema
    for name, values in (("cells_position", carriers), ("other_columns", cells)):
        place = schema.get_field_index(name)
        rows = rows.set_column(place, schema.field(place), pa.array(values, schema.field(place).type))
    return rows.filter(pa.array(~gone))
