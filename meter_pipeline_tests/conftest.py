"""What holds for all tests: properties have no deadline, and the files that take minutes start first."""

from __future__ import annotations

import pytest
from hypothesis import settings

from meter_pipeline.recognition.model_store import MeterModel, load_model
from meter_pipeline_tests.support.small_models import Trained, train_small_model

# A property is about what comes out, not about how busy the machine was meanwhile.
settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")

LONGEST = ("test_dev.py", "test_commands.py", "test_kill.py", "test_dashboard.py")
"""Of two processes one would else be left alone with the last of these for minutes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; all else stays in order."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def drawn_model(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A small model of three classes, trained once per process."""
    return train_small_model(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def model(drawn_model: Trained) -> MeterModel:
    """The same, ready to answer."""
    return load_model(drawn_model.layout)
