"""A look at a few URLs tells photos from other things, quickly, and says nothing where nothing can be told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from meter_pipeline.ingest.web.looking import MAX_LOOKED_AT, photos_behind
from meter_pipeline.settings import DownloadSettings
from meter_pipeline_tests.support.bounds import takes_at_most
from meter_pipeline_tests.support.fault_server import FaultServer

SETTINGS = DownloadSettings(allow_hosts=("127.0.0.1",), download_timeout=1.0)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def test_photos_other_things_and_what_did_not_answer(server: FaultServer) -> None:
    photos = ("/photo/1.jpg", "/image/avif", "/chain/3", "/5-gigabytes")
    others = ("/says/share-page", "/pdf", "/empty", "/image/svg", "/image/video", "/says/json")
    silent = ("/status/404", "/says/s3-expired", "/says/password", "/html", "/never", "/reset", "/to-private")
    urls = {path: server.url(path) for path in (*photos, *others, *silent)}
    looked: dict[str, bool] = {}
    with takes_at_most(6):
        for first in range(0, len(urls), MAX_LOOKED_AT):
            looked |= photos_behind([*urls.values()][first : first + MAX_LOOKED_AT], SETTINGS)
    assert looked == {urls[p]: True for p in photos} | {urls[p]: False for p in others}
    assert server.hits["/reset"] == server.hits["/status/404"] == server.hits["/never"] == 1


def test_no_more_than_a_few_are_asked_and_each_once(server: FaultServer) -> None:
    urls = [server.url(f"/photo/{number}.jpg") for number in range(40)]
    assert photos_behind([*urls[:3], *urls], SETTINGS) == dict.fromkeys(urls[:MAX_LOOKED_AT], True)
    assert server.hits.total() == MAX_LOOKED_AT


def test_nothing_is_asked_of_what_may_not_be_reached(server: FaultServer) -> None:
    assert photos_behind([server.url("/canary"), "no URL", "ftp://h/a.jpg"], DownloadSettings()) == {}
    assert photos_behind([], SETTINGS) == {}
    assert server.hits.total() == 0
