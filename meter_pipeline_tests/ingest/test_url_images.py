"""Photos behind URLs: each fetched once, stored once, with a reason where there is none; a kill loses nothing."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from meter_pipeline.demo.image_server import ImageServer
from meter_pipeline.errors import MeterError
from meter_pipeline.ingest.alike_pictures import ALIKE_NOTE
from meter_pipeline.ingest.drop_rows import take_in_drops
from meter_pipeline.ingest.url_images import DownloadLimits, download_drops, download_urls, fetch_photo
from meter_pipeline.ingest.web.download_pool import FLUSH_ROWS, QUEUED_ROWS
from meter_pipeline.ingest.web.fetching import FetchLimits
from meter_pipeline.settings import load_settings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import URL_IMAGES
from meter_pipeline_tests.support.bounds import takes_at_most
from meter_pipeline_tests.support.downloads import LIMITS, many_urls, start_download
from meter_pipeline_tests.support.fault_server import FaultServer
from meter_pipeline_tests.support.odd_images import ODD_IMAGES
from meter_pipeline_tests.support.patterns import draw


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "data")
    layout.prepare()
    return layout


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def outcomes(layout: Layout) -> dict[str, str]:
    frame = layout.lake.frame(URL_IMAGES)
    return dict(zip(frame["image_url"], frame["outcome"], strict=True))


def test_each_url_is_fetched_once_and_each_photo_stored_once(layout: Layout, server: FaultServer) -> None:
    urls = [server.url(path) for path in ("/photo/1.jpg", "/photo/1001.jpg", "/photo/2.jpg", "/status/404", "/html")]
    summary = download_urls([*urls, *urls], layout, LIMITS)
    assert (summary.fetched, summary.failed) == (5, 2)
    assert summary.outcomes == {"not_an_image": 1, "not_found": 1, "ok": 3}
    frame = layout.lake.frame(URL_IMAGES).set_index("image_url")
    assert frame.loc[urls[0], "image_id"] == frame.loc[urls[1], "image_id"] != frame.loc[urls[2], "image_id"]
    assert (frame.loc[urls[0], "width"], frame.loc[urls[0], "height"], frame.loc[urls[0], "format"]) == (
        120,
        200,
        "JPEG",
    )
    assert frame.loc[urls[0], "brightness"] > 0
    assert "404" in frame.loc[urls[3], "reason"]
    stored = [path.stem for path in layout.images.rglob("*.jpg")]
    assert sorted(stored) == sorted(frame["image_id"].dropna().unique())
    assert download_urls(urls, layout, LIMITS).fetched == 0
    assert all(count == 1 for count in server.hits.values())


def test_failed_ones_are_fetched_again_only_when_asked_and_only_those_of_the_drops(
    layout: Layout, server: FaultServer
) -> None:
    first, gone, good = (server.url(path) for path in ("/500-then-photo", "/status/410", "/photo/3.jpg"))
    once = DownloadLimits(2, FetchLimits(attempts=1, addresses=LIMITS.fetch.addresses))
    (layout.drops / "a.csv").write_text(f"url\n{first}\n{gone}\n{good}\nrubbish\n", encoding="utf-8")
    take_in_drops(layout)
    assert download_drops(layout, once).outcomes == {"http_error": 1, "not_found": 1, "ok": 1}
    assert download_drops(layout, once).fetched == 0
    version = layout.lake.version(URL_IMAGES)
    assert download_drops(layout, once, retry_failed=True).outcomes == {"not_found": 1, "ok": 1}
    assert outcomes(layout) == {first: "ok", gone: "not_found", good: "ok"}
    assert layout.lake.version(URL_IMAGES) != version
    assert server.hits["/photo/3.jpg"] == 1


def test_a_photo_that_is_gone_from_the_store_is_fetched_again(layout: Layout, server: FaultServer) -> None:
    url = server.url("/photo/1.jpg")
    download_urls([url], layout, LIMITS)
    version = layout.lake.version(URL_IMAGES)
    next(layout.images.rglob("*.jpg")).unlink()
    assert download_urls([url], layout, LIMITS).fetched == 1
    assert layout.lake.version(URL_IMAGES) == version
    assert len(list(layout.images.rglob("*.jpg"))) == 1


def test_a_photo_that_was_cut_in_the_store_is_fetched_again_and_replaced(layout: Layout, server: FaultServer) -> None:
    url = server.url("/photo/1.jpg")
    download_urls([url], layout, LIMITS)
    path = next(layout.images.rglob("*.jpg"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    assert download_urls([url], layout, LIMITS).fetched == 1
    assert path.read_bytes() == whole
    assert download_urls([url], layout, LIMITS).fetched == 0


def test_what_is_known_of_a_lost_photo_stays_when_its_server_is_gone(layout: Layout) -> None:
    with FaultServer() as server:
        url = server.url("/photo/1.jpg")
        download_urls([url], layout, LIMITS)
    before = layout.lake.frame(URL_IMAGES).iloc[0]
    path = next(layout.images.rglob("*.jpg"))
    content = path.read_bytes()
    path.unlink()
    assert download_urls([url], layout, LIMITS).failed == 1
    after = layout.lake.frame(URL_IMAGES).iloc[0]
    assert after["reason"].startswith("The photo's file is lost or damaged, and its URL does not give it any more (")
    assert after.drop("reason").equals(before.drop("reason"))
    assert download_urls([url], layout, LIMITS).fetched == 0
    assert download_urls([url], layout, LIMITS, retry_failed=True).fetched == 1
    assert layout.lake.frame(URL_IMAGES)["reason"].notna().all()
    path.write_bytes(content)
    download_urls([], layout, LIMITS)
    assert layout.lake.frame(URL_IMAGES)["reason"].isna().all(), "restored by a person"


def test_a_lost_photo_that_its_url_gives_again_is_lost_no_longer(layout: Layout, server: FaultServer) -> None:
    url = server.url("/photo/1.jpg")
    download_urls([url], layout, LIMITS)
    rows = layout.lake.frame(URL_IMAGES)
    layout.lake.replace(URL_IMAGES, rows.assign(reason="The photo's file is lost."))
    next(layout.images.rglob("*.jpg")).unlink()
    assert download_urls([url], layout, LIMITS, retry_failed=True).outcomes == {"ok": 1}
    assert layout.lake.frame(URL_IMAGES)["reason"].isna().all()


def test_two_orders_of_arrival_give_the_same_table(tmp_path: Path, server: FaultServer) -> None:
    urls = [server.url(f"/photo/{number}.jpg") for number in range(30)]
    tables = []
    for name, order in (("a", urls), ("b", urls[::-1])):
        layout = Layout(tmp_path / name)
        download_urls(order, layout, LIMITS)
        tables.append(layout.lake.read(URL_IMAGES, URL_IMAGES.hashed))
    assert tables[0].equals(tables[1])


def test_a_refresh_takes_what_changed_and_loses_nothing(layout: Layout, server: FaultServer) -> None:
    same, changing, gone, plain = (
        server.url(path) for path in ("/same-etag", "/changing", "/photo-then-404", "/photo/5.jpg")
    )
    download_urls([same, changing, gone, plain], layout, LIMITS)
    before = layout.lake.frame(URL_IMAGES).set_index("image_url")
    assert before.loc[same, "etag"] == '"v1"'
    assert before.loc[changing, "last_modified"] == "Fri, 01 May 2026 12:00:00 GMT"
    version = layout.lake.version(URL_IMAGES)
    assert download_urls([same, changing, gone, plain], layout, LIMITS).fetched == 0
    summary = download_urls([same, changing, gone, plain], layout, LIMITS, refresh=True)
    assert summary.outcomes == {"not_found": 1, "not_modified": 1, "ok": 2}
    assert (summary.fetched, summary.failed) == (4, 1)
    after = layout.lake.frame(URL_IMAGES).set_index("image_url")
    assert after.loc[changing, "image_id"] != before.loc[changing, "image_id"]
    assert layout.image(after.loc[changing, "image_id"]).exists()
    for url in (same, gone, plain):
        assert after.loc[url, "outcome"] == "ok"
        assert after.loc[url, "image_id"] == before.loc[url, "image_id"]
    assert layout.lake.version(URL_IMAGES) != version
    assert len(after) == 4


def test_a_host_is_never_asked_for_more_than_its_share_at_once(layout: Layout) -> None:
    with FaultServer(latency_s=0.05) as one, FaultServer(latency_s=0.05) as other:
        urls = [server.url(f"/photo/{n}.jpg") for n in range(24) for server in (one, other)]
        limits = DownloadLimits(12, LIMITS.fetch, per_host=3)
        assert download_urls(urls, layout, limits).outcomes == {"ok": 48}
        assert one.most_at_once == other.most_at_once == 3


def test_what_is_odd_about_a_photo_is_noted(layout: Layout, server: FaultServer) -> None:
    download_urls([server.url("/image/animated"), server.url("/image/cmyk")], layout, LIMITS)
    notes = layout.lake.frame(URL_IMAGES).set_index("image_url")["notes"]
    assert notes[server.url("/image/animated")] == "animated: first frame"
    assert notes[server.url("/image/cmyk")] == "CMYK"


@pytest.mark.parametrize(("kind", "outcome"), ODD_IMAGES.items(), ids=list(ODD_IMAGES))
def test_every_odd_kind_of_image_has_its_outcome(layout: Layout, server: FaultServer, kind: str, outcome: str) -> None:
    url = server.url(f"/image/{kind}")
    with takes_at_most(3):
        download_urls([url], layout, LIMITS)
        row = layout.lake.read(URL_IMAGES).to_pylist()[0]
        assert row["outcome"] == outcome, row["reason"]
        assert (row["reason"] is None) == (outcome == "ok")


class _CancelledRun(BaseException):
    """As Dagster's interrupt: not an Exception."""


def test_a_cancelled_run_keeps_what_it_has_and_stops_soon(layout: Layout, server: FaultServer) -> None:
    urls = [
        *(server.url(f"/photo/{number}.jpg") for number in range(100)),
        *(server.url(f"/never?{i}") for i in range(8)),
    ]

    def cancel(done: int, total: int) -> None:
        if done >= 64:
            raise _CancelledRun

    with takes_at_most(8), pytest.raises(_CancelledRun):
        download_urls(
            urls, layout, DownloadLimits(8, FetchLimits(addresses=LIMITS.fetch.addresses)), on_progress=cancel
        )
    kept = outcomes(layout)
    assert len(kept) >= 64
    assert set(kept.values()) == {"ok"}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("download-")]
    download_urls(urls[:100], layout, LIMITS)
    assert server.hits.total() <= 100 + 8 + 8
    assert len(outcomes(layout)) == 100


@pytest.mark.slow
def test_two_processes_at_once_on_shared_urls_fetch_each_photo_once(tmp_path: Path) -> None:
    """As two runs do: the stage is one at a time, whoever comes second finds the photos of the first."""
    with FaultServer(latency_s=0.02) as server:
        halves = [[server.url(f"/photo/{n}.jpg") for n in range(first, first + 60)] for first in (0, 30)]
        layout = Layout(tmp_path / "data")
        for name, urls in zip("ab", halves, strict=True):
            layout.drops.mkdir(parents=True, exist_ok=True)
            (layout.drops / f"{name}.csv").write_text("url\n" + "\n".join(urls), encoding="utf-8")
        running = [start_download("drops", str(layout.root)) for _ in range(2)]
        assert [process.wait(60) for process in running] == [0, 0]
        assert outcomes(layout) == dict.fromkeys(sorted({*halves[0], *halves[1]}), "ok")
        assert server.hits.total() == 90


@pytest.mark.slow
def test_killed_three_times_the_table_is_that_of_an_undisturbed_run(tmp_path: Path) -> None:
    with FaultServer(latency_s=0.03) as server:
        base = server.url("")
        killed = Layout(tmp_path / "killed")
        for kill in range(3):
            process = start_download("urls", str(killed.root), base)
            enough = (kill + 1) * 64
            while process.poll() is None and killed.lake.count(URL_IMAGES) < enough:
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
            process.wait()
        assert 3 * 64 <= killed.lake.count(URL_IMAGES) < 400
        urls = many_urls(base)
        download_urls(urls, killed, LIMITS)
        asked = server.hits.total()
        whole = Layout(tmp_path / "whole")
        download_urls(urls, whole, LIMITS)
        assert server.hits.total() - asked == 400
    assert killed.lake.version(URL_IMAGES) == whole.lake.version(URL_IMAGES)
    assert killed.lake.read(URL_IMAGES, URL_IMAGES.hashed).equals(whole.lake.read(URL_IMAGES, URL_IMAGES.hashed))
    names = [sorted(path.name for path in layout.images.rglob("[0-9a-f]*.jpg")) for layout in (killed, whole)]
    assert names[0] == names[1]
    lost_per_kill = FLUSH_ROWS + QUEUED_ROWS + LIMITS.threads
    assert asked - 400 < 3 * lost_per_kill


def test_a_disk_that_cannot_be_written_stops_the_run_with_a_message(layout: Layout, server: FaultServer) -> None:
    layout.images.write_bytes(b"a file where the folder should be")
    with pytest.raises((MeterError, OSError)):
        download_urls([server.url(f"/photo/{number}.jpg") for number in range(20)], layout, LIMITS)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("download-")]


def test_limits_come_from_the_settings(tmp_path: Path) -> None:
    chosen = load_settings(data_dir=tmp_path, download_timeout=2.0, allow_networks="10.0.0.0/8", download_threads=3)
    limits = DownloadLimits.from_settings(chosen)
    assert (limits.threads, limits.fetch.connect_s, limits.fetch.read_s, limits.fetch.total_s) == (3, 2.0, 2.0, 6.0)
    assert limits.per_host == 8
    with pytest.raises(MeterError, match="METER_ALLOW_NETWORKS"):
        DownloadLimits.from_settings(load_settings(data_dir=tmp_path, allow_networks="ten"))


def test_a_url_is_fetched_with_the_guard_of_the_drops(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, allow_hosts="127.0.0.1", download_attempts=1, download_timeout=5)
    draw("BLUE_A", 1).save(tmp_path / "1.jpg")
    with ImageServer(tmp_path) as server:
        assert fetch_photo(f" {server.base_url}/1.jpg ", settings) == (tmp_path / "1.jpg").read_bytes()
        with pytest.raises(MeterError, match="not_found"):
            fetch_photo(f"{server.base_url}/2.jpg", settings)
    with pytest.raises(MeterError, match="METER_ALLOW_HOSTS"):
        fetch_photo("http://10.0.0.1/1.jpg", settings)
    with pytest.raises(MeterError, match="not the URL of a photo"):
        fetch_photo("file:///etc/passwd", settings)


def test_one_picture_for_many_urls_is_noted_and_no_answer_is_lost(layout: Layout, server: FaultServer) -> None:
    stand_ins = [server.url(f"/same/{number}.jpg") for number in range(8)]
    photos = [server.url(f"/photo/{number}.jpg") for number in range(1, 21)]
    summary = download_urls([*stand_ins, *photos], layout, LIMITS)
    assert (summary.failed, summary.alike) == (0, 8)
    frame = layout.lake.frame(URL_IMAGES).set_index("image_url")
    assert set(frame.loc[stand_ins, "outcome"]) == {"ok"}
    assert set(frame.loc[stand_ins, "notes"]) == {f"7 other URLs{ALIKE_NOTE}"}
    assert frame.loc[photos, "notes"].isna().all()
    # More photos come: said anew, in the right number, and taken back where it is no longer true.
    assert download_urls([server.url("/same/8.jpg")], layout, LIMITS).alike == 9
    assert set(layout.lake.frame(URL_IMAGES).set_index("image_url").loc[stand_ins, "notes"]) == {
        f"8 other URLs{ALIKE_NOTE}"
    }
    more = [server.url(f"/photo/{number}.jpg") for number in range(21, 81)]
    assert download_urls(more, layout, LIMITS).alike == 0
    assert layout.lake.frame(URL_IMAGES)["notes"].isna().all()


def test_a_photo_that_a_few_urls_share_is_not_noted(layout: Layout, server: FaultServer) -> None:
    assert download_urls([server.url(f"/same/{number}.jpg") for number in range(4)], layout, LIMITS).alike == 0
