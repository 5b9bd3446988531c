"""New data directories are readable by their owner alone; what people set up, or share, stays as it is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.private_folders import make_private

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_data_directory_is_its_owners_alone(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "new" / "data")
    layout.prepare()
    assert [mode(path) for path in (layout.root.parent, layout.root, layout.raw, layout.drops)] == [0o700] * 4


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (data := tmp_path / "data").mkdir(mode=0o755)
    data.chmod(0o755)
    make_private(data)
    make_private(data / "images")
    assert (mode(data), mode(data / "images")) == (0o755, 0o700)


def test_below_a_folder_that_a_group_shares_the_system_decides(tmp_path: Path) -> None:
    (data := tmp_path / "data").mkdir()
    data.chmod(0o2770)
    make_private(data / "lake" / "drops")
    assert mode(data / "lake" / "drops") & 0o050 == 0o050


def test_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(FileExistsError):
        make_private(tmp_path / "data" / "lake")
