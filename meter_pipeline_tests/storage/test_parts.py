"""Tables of parts: what did not change is neither written nor read, and the table says what it would in one piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pytest

from meter_pipeline.errors import MeterError
from meter_pipeline.storage import lake as lake_module
from meter_pipeline.storage.damage import DamagedTableError
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.tables import DROP_ROWS


def rows(drops: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    places = [(drop, number, url) for drop, urls in drops.items() for number, url in enumerate(urls)]
    frame = pd.DataFrame(places, columns=["drop", "position", "image_url"])
    return frame.reindex(columns=list(DROP_ROWS.columns)).astype({"reason": object, "other_columns": object})


def held(lake: Lake) -> dict[str, list[str]]:
    found = lake.frame(DROP_ROWS).sort_values(["drop", "position"])
    return {str(drop): of_drop["image_url"].tolist() for drop, of_drop in found.groupby("drop")}


def files(lake: Lake) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in lake.shard_files(DROP_ROWS.name)}


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setattr(lake_module, "SMALL_SHARD_ROWS", 3)
    return Lake(tmp_path)


def test_a_new_part_is_written_alone_and_the_version_is_that_of_the_rows(lake: Lake) -> None:
    old = {"may": ["1", "2"], "april": ["3"], "june": ["4", "5", "6"]}
    lake.replace(DROP_ROWS, rows(old))
    assert list(lake.parts(DROP_ROWS)) == ["april", "june", "may"]
    before = files(lake)
    version = lake.replace_parts(DROP_ROWS, [(rows({"july": ["7"]}), {"july": "seven"})], kept=list(old))
    assert {name: state for name, state in files(lake).items() if name in before} == before
    assert len(files(lake)) == len(before) + 1
    assert held(lake) == {**old, "july": ["7"]}
    part = lake.parts(DROP_ROWS)["july"]
    assert (part.rows, part.made_from) == (1, "seven")
    assert lake.replace(DROP_ROWS, rows({**old, "july": ["7"]})) == version
    assert lake.parts(DROP_ROWS)["july"].digest == part.digest


def test_parts_are_replaced_and_left_out_and_neighbours_in_their_file_stay(lake: Lake) -> None:
    lake.replace_parts(DROP_ROWS, [(rows({"a": ["1"], "b": ["2"], "c": ["3"]}), {"a": "x", "b": "y", "c": "z"})])
    assert len(files(lake)) == 1
    lake.replace_parts(DROP_ROWS, [(rows({"b": ["9"]}), {})], kept=["a"])
    assert held(lake) == {"a": ["1"], "b": ["9"]}
    assert {name: part.made_from for name, part in lake.parts(DROP_ROWS).items()} == {"a": "x", "b": ""}
    lake.replace_parts(DROP_ROWS, [(rows({}), {})])
    assert held(lake) == {}
    assert lake.parts(DROP_ROWS) == {}


def test_some_parts_are_read_and_only_their_files_are_opened(lake: Lake) -> None:
    lake.replace(DROP_ROWS, rows({"a": ["1", "2", "3"], "b": ["4"], "c": ["5", "6"]}))
    assert lake.read_parts(DROP_ROWS, ["c"], ["image_url"])["image_url"].to_pylist() == ["5", "6"]
    first = lake.shard_files(DROP_ROWS.name)[0]
    first.write_bytes(b"")
    assert lake.read_parts(DROP_ROWS, ["b", "c"])["image_url"].to_pylist() == ["4", "5", "6"]
    assert lake.read_parts(DROP_ROWS, ["nothing"]).num_rows == 0
    with pytest.raises(DamagedTableError):
        lake.read_parts(DROP_ROWS, ["a"])
    with pytest.raises(DamagedTableError):
        lake.replace_parts(DROP_ROWS, [], kept=["a"])


def test_many_small_files_become_few(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_module, "SHARDS_BEFORE_COMPACTION", 4)
    there: dict[str, list[str]] = {}
    for number in range(12):
        new = {f"drop{number:02d}": [f"{number}", f"{number}b"]}
        lake.replace_parts(DROP_ROWS, [(rows(new), dict.fromkeys(new, f"from {number}"))], kept=list(there))
        there |= new
        assert len(files(lake)) <= 4 + len(there) // 2
        assert held(lake) == there
    assert [part.made_from for part in lake.parts(DROP_ROWS).values()] == [f"from {number}" for number in range(12)]


def test_a_failure_in_the_middle_leaves_the_table_as_it_was(lake: Lake) -> None:
    lake.replace(DROP_ROWS, rows({"a": ["1"]}))

    def broken():
        yield rows({"b": ["2", "3", "4", "5"]}), {}
        raise MeterError("stopped")

    with pytest.raises(MeterError, match="stopped"):
        lake.replace_parts(DROP_ROWS, broken())
    assert held(lake) == {"a": ["1"]}
    with pytest.raises(ValueError, match="twice"):
        lake.replace_parts(DROP_ROWS, [(rows({"a": ["2"]}), {})], kept=["a"])
    assert held(lake) == {"a": ["1"]}


def test_a_table_of_which_the_parts_are_not_known_is_divided(lake: Lake) -> None:
    lake.append(DROP_ROWS, rows({"b": ["2"], "a": ["1"]}))
    assert lake.parts(DROP_ROWS) == {}
    version = lake.version(DROP_ROWS)
    lake.divide(DROP_ROWS)
    assert list(lake.parts(DROP_ROWS)) == ["a", "b"]
    assert lake.version(DROP_ROWS) == version
    before = files(lake)
    lake.divide(DROP_ROWS)
    assert files(lake) == before


def test_the_first_rows_are_read_from_the_first_files(lake: Lake) -> None:
    assert lake.head(DROP_ROWS, 2).num_rows == 0
    lake.replace(DROP_ROWS, rows({"a": ["1", "2", "3"], "b": ["4", "5", "6"]}))
    lake.shard_files(DROP_ROWS.name)[1].write_bytes(b"")
    assert lake.head(DROP_ROWS, 2, ["image_url"])["image_url"].to_pylist() == ["1", "2"]
    with pytest.raises(DamagedTableError):
        lake.head(DROP_ROWS, 4)
