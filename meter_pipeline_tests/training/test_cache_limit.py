"""The limit of the kept trunk outputs: what stays, what goes first, and what a kill leaves."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from meter_pipeline.settings import CacheSettings
from meter_pipeline.training.cache_limit import BYTES_PER_GB, keep_within_limit, kept_files

FILE_BYTES = 1000


def _file(folder: Path, name: str, used_at: float) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * FILE_BYTES)
    os.utime(path, (used_at, used_at))
    return path


def _limit(files: float) -> CacheSettings:
    return CacheSettings(trunk_cache_gb=files * FILE_BYTES / BYTES_PER_GB)


def test_what_was_used_longest_ago_goes_first_and_what_the_training_uses_stays(tmp_path: Path) -> None:
    used = _file(tmp_path, "mine/ab/1.npy", used_at=10)
    oldest = _file(tmp_path, "other/ab/2.npy", used_at=20)
    older = _file(tmp_path, "mine/cd/3.npy", used_at=30)
    newest = _file(tmp_path, "mine/cd/4.npy", used_at=40)
    assert keep_within_limit(tmp_path, {used}, _limit(4)) == 0
    assert keep_within_limit(tmp_path, {used}, _limit(2.5)) == 2
    assert {each.path for each in kept_files(tmp_path)} == {used, newest}
    assert not oldest.parent.parent.exists(), "an empty folder stays for nobody"
    assert not older.exists()


def test_what_a_training_used_counts_as_used_then(tmp_path: Path) -> None:
    first, second = _file(tmp_path, "a/1.npy", used_at=10), _file(tmp_path, "a/2.npy", used_at=20)
    keep_within_limit(tmp_path, {first}, _limit(2))
    assert keep_within_limit(tmp_path, set(), _limit(1)) == 1
    assert (first.exists(), second.exists()) == (True, False)


def test_a_training_larger_than_the_limit_keeps_its_own_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    used = {_file(tmp_path, f"a/{number}.npy", used_at=number) for number in range(3)}
    other = _file(tmp_path, "b/9.npy", used_at=50)
    with caplog.at_level(logging.WARNING):
        keep_within_limit(tmp_path, used, _limit(0))
    assert {each.path for each in kept_files(tmp_path)} == used
    assert not other.exists()
    assert "METER_TRUNK_CACHE_GB=0" in caplog.text


def test_what_a_killed_training_left_half_written_is_removed(tmp_path: Path) -> None:
    whole = _file(tmp_path, "a/1.npy", used_at=10)
    _file(tmp_path, "a/.tmp-12345678-2.npy", used_at=99)
    assert keep_within_limit(tmp_path, set(), _limit(9)) == 1
    assert [each.path for each in kept_files(tmp_path)] == [whole]


def test_no_folder_is_an_empty_one_and_a_file_that_was_erased_meanwhile_is_not_missed(tmp_path: Path) -> None:
    assert keep_within_limit(tmp_path / "trunk", {tmp_path / "trunk" / "a.npy"}, _limit(1)) == 0
