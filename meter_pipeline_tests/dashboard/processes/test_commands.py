"""Models are accepted and rolled back by `meter` in a process of its own; what it says comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from meter_pipeline.dashboard.processes.commands import accept_model, roll_back
from meter_pipeline.errors import MeterError
from meter_pipeline.storage.layout import Layout


@pytest.mark.parametrize("choose", [accept_model, roll_back])
def test_without_a_reason_nothing_is_run(tmp_path: Path, choose: type) -> None:
    with pytest.raises(MeterError, match="No reason was given"):
        choose(Layout(tmp_path), "0001-a", why="  ", by="anna")
    assert not any(tmp_path.iterdir())


def test_what_the_command_says_comes_back_whatever_the_reason_begins_with(tmp_path: Path) -> None:
    answer = accept_model(Layout(tmp_path), "0001-a", why="--help", by="-x")
    assert not answer.ok
    assert "0001-a" in answer.text
    assert "Usage" not in answer.text
