"""New data directories are readable by their owner alone; what people set up, or share, stays as it is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.private_folders import make_private, open_to_others

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


@pytest.mark.parametrize(("above", "new"), [(0o2770, 0o2770), (0o775, 0o770), (0o1777, 0o700)])
def test_below_a_folder_that_a_group_shares_new_ones_are_the_groups_and_nobody_elses(
    tmp_path: Path, above: int, new: int
) -> None:
    (data := tmp_path / "data").mkdir()
    data.chmod(above)
    before = os.umask(0o002)
    try:
        make_private(data / "drops")
    finally:
        os.umask(before)
    assert mode(data / "drops") & 0o777 == new & 0o777


def test_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(FileExistsError):
        make_private(tmp_path / "data" / "lake")


def test_what_every_user_may_read_is_told_and_what_lies_below_a_closed_folder_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data := tmp_path / "data").mkdir()
    (settings := data / "meter.env").write_text("METER_DASHBOARD_PASSWORD=x")
    data.chmod(0o755)
    settings.chmod(0o644)
    monkeypatch.setattr(
        Path, "parents", property(lambda path: [data] if path == settings else [])
    )  # pytest's is closed
    assert open_to_others([data, settings, data / "none"]) == [data, settings]
    data.chmod(0o750)
    assert open_to_others([data, settings]) == []
