"""A page of another site, in the browser of somebody who may use our servers, reads nothing and changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from meter_pipeline_tests import support
from meter_pipeline_tests.support.browser import CHROMIUM, CHROMIUM_FLAGS, NEEDS_CHROMIUM
from meter_pipeline_tests.support.dashboard_server import running_dashboard
from meter_pipeline_tests.support.dev_server import Dev, running_dev
from meter_pipeline_tests.support.ui_walks import Visit, walk_through_dagster, walk_through_the_dashboard

pytestmark = [pytest.mark.slow, *NEEDS_CHROMIUM]
NAMES = ("evil.example", "127.0.0.1", "localhost")
"""Of the other site: another one, another port of the same host, and another name of this machine."""

ATTACKS = Path(support.__file__).with_name("other_site.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Servers:
    dev: Dev
    dashboard: str


class _Other(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Cats</title><body>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    data = tmp_path_factory.mktemp("sites") / "data"
    with running_dev(data) as dev, running_dashboard(data) as dashboard:
        yield Servers(dev, dashboard)


@pytest.fixture(scope="module")
def other_port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for which names of other sites point to this machine, as their owners could let them."""
    mapped = "--host-resolver-rules=MAP evil.example 127.0.0.1,MAP rebound.example 127.0.0.1"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=[*CHROMIUM_FLAGS, mapped])
        yield opened
        opened.close()


def changed(dev: Dev) -> list[str]:
    """Return what the orders of the other site would have left."""
    answer = dev.ask(
        "{instance{concurrencyLimits{concurrencyKey}} assetRecordsOrError{... on AssetRecordConnection"
        "{assets{key{path}}}}}"
    )
    keys = [limit["concurrencyKey"] for limit in answer["instance"]["concurrencyLimits"]]
    assets = [asset["key"]["path"][-1] for asset in answer["assetRecordsOrError"]["assets"]]
    return [name for name in [*keys, *assets] if name.startswith("evil")]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_of_another_site_reads_nothing_and_changes_nothing(
    servers: Servers, other_port: int, browser: Browser, name: str
) -> None:
    page = browser.new_page()
    page.goto(f"http://{name}:{other_port}/")
    came_of_it = page.evaluate(ATTACKS, [servers.dev.url, servers.dashboard])
    frames = {frame.name: frame.url for frame in page.frames if frame.name.startswith("frame-")}
    page.close()
    assert len(came_of_it) == 18
    assert set(came_of_it.values()) == {"refused"}, came_of_it
    assert set(frames.values()) == {"chrome-error://chromewebdata/"}, frames
    assert changed(servers.dev) == []


def test_a_name_that_was_pointed_here_gets_nothing(servers: Servers, browser: Browser) -> None:
    page = browser.new_page()
    for base in (servers.dev.url, servers.dashboard):
        answer = page.goto(base.replace("127.0.0.1", "rebound.example"))
        assert answer is not None
        assert answer.status == 403
        for path, method in (("/graphql", "POST"), ("/server_info", "GET"), ("/_stcore/health", "GET")):
            status = page.evaluate("async ([path, method]) => (await fetch(path, {method})).status", [path, method])
            assert status == 403
    page.close()


def test_the_pages_of_our_own_work_in_full(servers: Servers, browser: Browser) -> None:
    with Visit(browser) as visit:
        run_id = walk_through_dagster(visit, servers.dev.url)
        assert servers.dev.status(run_id) == "CANCELED"
    with Visit(browser) as visit:
        walk_through_the_dashboard(visit, servers.dashboard)
