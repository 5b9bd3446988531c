"""Photos through the network while others are downloaded: nothing is left out, nothing twice, and both end together."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from meter_pipeline.batches import streaming
from meter_pipeline.batches.streaming import PhotosToCome, download_and_look
from meter_pipeline.ingest.drop_rows import take_in_drops
from meter_pipeline.ingest.url_images import DownloadLimits
from meter_pipeline.ingest.web.fetching import FetchLimits
from meter_pipeline.recognition.image_features import compute_features
from meter_pipeline.recognition.model_store import MeterModel
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import IMAGE_FEATURES, URL_IMAGES
from meter_pipeline_tests.support.bounds import slowness
from meter_pipeline_tests.support.downloads import LIMITS
from meter_pipeline_tests.support.fault_server import FaultServer
from meter_pipeline_tests.support.small_models import Trained

DIGESTS = [f"{number:064x}" for number in range(1000)]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A data directory without a model."""
    layout = Layout(tmp_path / "data")
    layout.prepare()
    return layout


@pytest.fixture
def with_champion(layout: Layout, drawn_model: Trained) -> Layout:
    shutil.copytree(drawn_model.layout.models, layout.models, dirs_exist_ok=True)
    return layout


def drop(layout: Layout, urls: Iterable[str]) -> None:
    (layout.drops / "a.csv").write_text("url\n" + "\n".join(urls), encoding="utf-8")
    take_in_drops(layout)


def no_thread_of_ours_is_left() -> bool:
    return not [t for t in threading.enumerate() if t.name.startswith(("download", "photos"))]


def test_without_a_model_there_are_downloads_only(layout: Layout, server: FaultServer) -> None:
    drop(layout, [server.url("/photo/1.jpg"), server.url("/status/404")])
    assert download_and_look(layout, LIMITS).outcomes == {"not_found": 1, "ok": 1}
    assert not layout.lake.exists(IMAGE_FEATURES)


def test_a_champion_that_cannot_be_read_holds_up_no_download(layout: Layout, server: FaultServer) -> None:
    drop(layout, [server.url("/photo/1.jpg")])
    layout.champion.parent.mkdir(parents=True, exist_ok=True)
    layout.champion.write_text("no JSON", encoding="utf-8")
    assert download_and_look(layout, LIMITS).outcomes == {"ok": 1}


@pytest.mark.slow
def test_what_was_downloaded_went_through_the_network_once_and_nothing_is_left_to_do(
    with_champion: Layout, server: FaultServer, model: MeterModel
) -> None:
    layout = with_champion
    paths = [*(f"/photo/{n}.jpg" for n in range(20)), "/photo/1001.jpg", "/same/1.jpg", "/same/2.jpg", "/status/404"]
    drop(layout, map(server.url, paths))
    summary = download_and_look(layout, LIMITS)
    assert (summary.fetched, summary.failed) == (24, 1)
    streamed = layout.lake.frame(IMAGE_FEATURES)
    downloaded = set(layout.lake.frame(URL_IMAGES)["image_id"].dropna())
    assert Counter(streamed["image_id"]) == Counter(downloaded)
    assert compute_features(layout) == 0
    version = layout.lake.version(IMAGE_FEATURES)
    layout.lake.replace(IMAGE_FEATURES, streamed.head(0))
    assert compute_features(layout) == len(downloaded)
    assert layout.lake.version(IMAGE_FEATURES) == version, "the same rows as from all photos at once"
    # Nothing new: the network is not even loaded.
    assert download_and_look(layout, LIMITS).fetched == 0
    assert no_thread_of_ours_is_left()


@pytest.mark.slow
def test_a_model_that_is_damaged_is_said_once_and_holds_up_no_download(
    with_champion: Layout, server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    layout = with_champion
    next(layout.models.rglob("network.onnx")).write_bytes(b"cut")
    drop(layout, (server.url(f"/photo/{n}.jpg") for n in range(120)))
    with caplog.at_level(logging.WARNING, "meter_pipeline"):
        assert download_and_look(layout, LIMITS).outcomes == {"ok": 120}
    assert len([r for r in caplog.records if "through the network" in r.getMessage()]) == 1
    assert "Traceback" not in caplog.text
    assert no_thread_of_ours_is_left()


@pytest.mark.slow
def test_a_disk_that_cannot_be_written_ends_both(with_champion: Layout, server: FaultServer) -> None:
    layout = with_champion
    shutil.rmtree(layout.images, ignore_errors=True)
    layout.images.write_bytes(b"a file where the folder should be")
    drop(layout, (server.url(f"/photo/{n}.jpg") for n in range(20)))
    with pytest.raises(Exception, match=r"file stands where|Not a directory|File exists"):
        download_and_look(layout, LIMITS)
    assert no_thread_of_ours_is_left()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="a process cannot send itself Ctrl-C there")
def test_a_cancelled_run_ends_both_within_two_seconds_and_keeps_what_came(
    with_champion: Layout, model: MeterModel
) -> None:
    """Some photos are here, others in the network, and a slow server has not answered the rest."""
    layout = with_champion
    cancelled_at = list[float]()

    def cancel() -> None:
        while layout.lake.count(URL_IMAGES) < 12:
            time.sleep(0.02)
        time.sleep(1)  # the network is at work on them, or waits for the next
        cancelled_at.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    patient = FetchLimits(read_s=600, total_s=600, addresses=LIMITS.fetch.addresses)  # else `/never` ends by itself
    limits = DownloadLimits(16, patient, per_host=16)
    with FaultServer() as server:
        photos = [server.url(f"/photo/{n}.jpg") for n in range(12)]
        drop(layout, [*photos, *(server.url(f"/never?{n}") for n in range(8))])
        threading.Thread(target=cancel).start()
        with pytest.raises(KeyboardInterrupt):
            download_and_look(layout, limits)
        assert time.monotonic() - cancelled_at[0] < 2 * slowness(time.monotonic)
        assert no_thread_of_ours_is_left()
        assert layout.lake.count(URL_IMAGES) == 12
        drop(layout, photos)
        assert download_and_look(layout, LIMITS).fetched == 0
        assert {server.hits[f"/photo/{n}.jpg"] for n in range(12)} == {1}


def test_each_photo_is_handed_over_once_in_order(layout: Layout) -> None:
    photos = PhotosToCome(layout)
    photos.offer(DIGESTS[:3])
    assert next(photos) == (DIGESTS[0], layout.image(DIGESTS[0]))
    photos.offer([DIGESTS[0], DIGESTS[3], DIGESTS[3]])
    photos.end()
    assert [image_id for image_id, _ in photos] == DIGESTS[1:4]
    photos.offer(DIGESTS[4:])
    assert not list(photos)


def test_what_no_place_is_left_for_is_not_waited_for_and_may_come_again(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "QUEUED_PHOTOS", 100)
    photos = PhotosToCome(layout)
    photos.offer(DIGESTS)
    assert next(photos)[0] == DIGESTS[0]
    photos.offer([DIGESTS[0], DIGESTS[999]])
    photos.end()
    ids = [image_id for image_id, _ in photos]
    assert ids == [*DIGESTS[1:100], DIGESTS[999]]


def test_who_waits_is_woken_by_the_end(layout: Layout) -> None:
    photos = PhotosToCome(layout)
    photos.offer(DIGESTS[:2])
    threading.Timer(0.05, lambda: photos.end(at_once=True)).start()
    assert photos.wait()
    taken = list(photos)
    assert len(taken) <= 2
    assert not photos.wait()
