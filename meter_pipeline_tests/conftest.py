"""What holds for all tests: no deadline for properties, slow files first, no plates read, one small model for many."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from meter_pipeline.recognition.model_store import MeterModel, load_model
from meter_pipeline.recognition.network.backbones import Backbone, load_backbone
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline_tests.support.small_models import Trained, train_small_model
from meter_pipeline_tests.support.wall_plates import locating_preprocess

# A property is about what comes out, not about how busy the machine was meanwhile.
settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files with slow tests first: of two processes one would otherwise be left alone with the last of them."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, "e2e" not in item.path.parts))


@pytest.fixture(scope="session", autouse=True)
def _no_plates_are_read_for_clusters() -> Iterator[None]:
    """Reading takes a second per photo; tests of the reading ask for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METER_CLUSTER_PRINT", "off")
        yield


@pytest.fixture(scope="session", autouse=True)
def _the_same_engine_everywhere() -> Iterator[None]:
    """Which one is the fastest depends on what else runs; the tests of the engines name theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METER_SERVING_ENGINE", "onnx")
        yield


@pytest.fixture(scope="session")
def drawn_model(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A small model of three classes, trained once per process."""
    return train_small_model(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def model(drawn_model: Trained) -> MeterModel:
    """The same, ready to answer."""
    return load_model(drawn_model.layout)


@pytest.fixture(scope="session")
def backbone() -> Backbone:
    """The pretrained backbone that needs no network."""
    return load_backbone("efficientnet_lite0", "imagenet")


@pytest.fixture(scope="session")
def preprocess(backbone: Backbone) -> Preprocess:
    """Its preprocessing, with a direction learned from plates on a wall."""
    return locating_preprocess(backbone)
