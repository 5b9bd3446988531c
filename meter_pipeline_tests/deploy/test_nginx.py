"""Both servers behind nginx, on other ports and under paths: everything works there, and nothing from elsewhere."""

from __future__ import annotations

import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from meter_pipeline_tests import deploy
from meter_pipeline_tests.support.browser import CHROMIUM, CHROMIUM_FLAGS
from meter_pipeline_tests.support.commands import free_port
from meter_pipeline_tests.support.dashboard_server import running_dashboard
from meter_pipeline_tests.support.dev_server import running_dev
from meter_pipeline_tests.support.ui_walks import Visit, walk_through_dagster, walk_through_the_dashboard

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
pytestmark = [pytest.mark.slow, pytest.mark.deploy]
PASSWORD = "a secret"
HOST = "intranet.example"
"""A name that the browser alone knows."""


@dataclass(frozen=True)
class Proxied:
    """Where people open both servers: the UI and the dashboard, by a port of their own and by a path."""

    dagster: str
    dashboard: str
    dagster_path: str
    dashboard_path: str


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp("nginx")
    paths, dagster, dashboard = (free_port() for _ in range(3))
    at = Proxied(
        *(f"http://{HOST}:{port}" for port in (dagster, dashboard)),
        f"http://{HOST}:{paths}/dagster",
        f"http://{HOST}:{paths}/meters",
    )
    (folder / "data").mkdir()
    (folder / "data" / "meter.env").write_text(
        f"METER_DAGSTER_URL={at.dagster},{at.dagster_path}\nMETER_DASHBOARD_URL={at.dashboard},{at.dashboard_path}/\n"
        f"METER_DASHBOARD_PASSWORD={PASSWORD}\n",
        encoding="utf-8",
    )
    with ExitStack() as stack:
        dev = stack.enter_context(running_dev(folder / "data"))
        served = stack.enter_context(running_dashboard(folder / "data"))
        conf = Path(deploy.__file__).with_name("nginx.conf").read_text(encoding="utf-8")
        for word, value in {
            "FOLDER": folder,
            "PORT_OF_PATHS": paths,
            "PORT_OF_DAGSTER": dagster,
            "PORT_OF_DASHBOARD": dashboard,
            "DAGSTER;": f"{dev.url};",
            "DASHBOARD;": f"{served};",
        }.items():
            conf = conf.replace(word, str(value))
        (folder / "nginx.conf").write_text(conf, encoding="utf-8")
        nginx = subprocess.Popen([NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"])
        stack.callback(nginx.wait, 20)
        stack.callback(nginx.terminate)
        yield at


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    mapped = f"--host-resolver-rules=MAP {HOST} 127.0.0.1"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=[*CHROMIUM_FLAGS, mapped])
        yield opened
        opened.close()


@pytest.mark.parametrize("where", ["dagster", "dagster_path"])
def test_the_dagster_ui_works_in_full(proxied: Proxied, browser: Browser, where: str) -> None:
    with Visit(browser) as visit:
        walk_through_dagster(visit, getattr(proxied, where))


@pytest.mark.parametrize("where", ["dashboard", "dashboard_path"])
def test_the_dashboard_works_in_full(proxied: Proxied, browser: Browser, where: str) -> None:
    with Visit(browser) as visit:
        walk_through_the_dashboard(visit, getattr(proxied, where), password=PASSWORD)


@pytest.mark.parametrize("where", ["dagster", "dagster_path", "dashboard", "dashboard_path"])
def test_what_other_pages_send_is_refused_behind_it_too(proxied: Proxied, where: str) -> None:
    base = getattr(proxied, where)
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert status(f"{base}/graphql", headers=headers, body=b'{"query":"{version}"}') == 403
    if where == "dagster_path":  # here nginx says which name was asked for
        assert status(f"{base}/", headers={"Host": "evil.example"}) == 403


def status(url: str, *, headers: dict[str, str], body: bytes | None = None) -> int:
    """Ask nginx as a program does that knows the name."""
    host = url.split("/")[2]
    asked = urllib.request.Request(url.replace(HOST, "127.0.0.1"), body, {"Host": host} | headers)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
