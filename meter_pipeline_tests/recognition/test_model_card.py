"""Which model is in use, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from meter_pipeline.errors import NoChampionError
from meter_pipeline.recognition.model_card import champion_version
from meter_pipeline.recognition.model_store import load_model
from meter_pipeline.storage.layout import Layout


def test_no_champion_says_what_to_do(tmp_path: Path) -> None:
    assert champion_version(Layout(tmp_path)) is None
    with pytest.raises(NoChampionError, match=r"no model in use yet.*meter train"):
        load_model(Layout(tmp_path))
