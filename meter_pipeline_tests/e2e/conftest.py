"""A trained data directory made once by the real command, copies of it, and an image server on loopback."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from meter_pipeline.demo.image_server import ImageServer
from meter_pipeline_tests.support.browser import CHROMIUM, CHROMIUM_FLAGS
from meter_pipeline_tests.support.commands import NEW_PHOTOS, copy_of, meter
from meter_pipeline_tests.support.dev_server import Dev, running_dev
from meter_pipeline_tests.support.patterns import draw, write_raw

if TYPE_CHECKING:
    from playwright.sync_api import Browser

COUNTS = {"BLUE_A": 14, "GREY_A": 12, "WHITE_A": 6}
SETTINGS = """\
METER_BACKBONE=efficientnet_lite0
METER_ALLOW_HOSTS=127.0.0.1
METER_EPOCHS_HEAD=3
METER_EPOCHS_TUNE=2
METER_TRAIN_VIEWS=3
METER_DOWNLOAD_ATTEMPTS=1
"""


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a champion, made by `meter train`; once for all test processes, which only copy it."""
    own = tmp_path_factory.getbasetemp()
    data_dir = (own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own) / "e2e" / "data"
    data_dir.parent.mkdir(exist_ok=True)
    made = data_dir.with_name("made")
    with FileLock(data_dir.with_name("lock")):
        if not made.exists():
            write_raw(data_dir / "raw", COUNTS)
            (data_dir / "meter.env").write_text(SETTINGS, encoding="utf-8")
            meter(data_dir, "train")
            made.touch()
    return data_dir


@pytest.fixture
def data_dir(trained: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return copy_of(trained, tmp_path / "data")


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Served photos: new types and a few known ones."""
    folder = tmp_path_factory.mktemp("served")
    for number in range(NEW_PHOTOS):
        kind = ("RED_NEW", "BLUE_A", "GREY_A")[number % 3]
        draw(kind, 700 + number, (360, 480)).save(folder / f"{number:03d}.jpg", quality=90)
    return folder


@pytest.fixture
def image_server(photos: Path) -> Iterator[ImageServer]:
    with ImageServer(photos) as server:
        yield server


@pytest.fixture
def slow_image_server(photos: Path) -> Iterator[ImageServer]:
    """Slow enough for a run to be killed in the middle of its downloads."""
    with ImageServer(photos, latency_s=0.4) as server:
        yield server


@pytest.fixture
def urls() -> Callable[[ImageServer, int], list[str]]:
    return lambda server, count: [f"{server.base_url}/{number:03d}.jpg" for number in range(count)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium without a window, for all tests of a file."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def dev(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """A running `meter dev` on a copy, for all tests of a file."""
    with running_dev(copy_of(trained, tmp_path_factory.mktemp("dev") / "data")) as server:
        yield server
