"""The whole dashboard as one application: its password and its addresses stand before all of it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.types import ASGIApp
from streamlit import config
from streamlit.runtime import Runtime

from meter_pipeline.dashboard.server.app import build_app
from meter_pipeline.dashboard.server.token import session_token
from meter_pipeline.errors import MeterError
from meter_pipeline.settings import Settings, load_settings
from meter_pipeline_tests.support.asgi import ask
from meter_pipeline_tests.support.commands import environment, free_port, wait_until_up

PATHS = (
    "/",
    "/unknowns",
    "/_stcore/health",
    "/_stcore/script-health-check",
    "/_stcore/host-config",
    "/_stcore/metrics",
    "/_stcore/upload_file/a/b",
    "/_stcore/bidi-components/x",
    "/media/x.jpg",
    "/component/x/index.html",
    "/static/x.js",
    "/favicon.png",
    "/review/overview",
    f"/review/thumbnail/{'a' * 64}?t={session_token()}",
)
"""Of Streamlit and of ours."""


@contextmanager
def started(settings: Settings) -> Iterator[ASGIApp]:
    """Give the application with all middleware and routes, without a server; Streamlit has one in a process."""
    try:
        yield build_app(settings)._build_starlette_app()
    finally:
        Runtime._instance = None
        config._main_script_path = None


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[ASGIApp]:
    with started(load_settings(data_dir=tmp_path, dashboard_password="a secret")) as app:
        yield app


def test_no_route_is_outside_the_password(closed: ASGIApp) -> None:
    for path in PATHS:
        for method in ("GET", "PUT", "POST", "DELETE"):
            answer = ask(closed, path, method=method)
            assert (answer.status, "Password" in answer.text) == (401, True), f"{method} {path}"


def test_streamlits_websocket_is_behind_the_password(closed: ASGIApp) -> None:
    answer = ask(closed, "/_stcore/stream", kind="websocket", headers={"origin": "http://127.0.0.1:8501"})
    assert (answer.is_accepted, answer.closed_with) == (False, 1008)


@pytest.mark.parametrize(
    "path",
    [
        "/_stcore/upload_file/a/b/",
        "//_stcore/upload_file/a/b",
        "/_STCORE/upload_file/a/b",
        "/_stcore//metrics",
        "/_stcore/metrics/",
        "/_stcore/health/../metrics",
        "/_stcore/health/",
        "/_stcore/health;/metrics",
        "/login/../_stcore/metrics",
        "/login/",
        "//login",
        "/meters/_stcore/metrics",
        "/meters/media/x.jpg",
        "/_stcore/agent/interact",
        "/~/+/_stcore/metrics",
    ],
)
def test_no_way_of_writing_a_path_leads_around_the_password(tmp_path: Path, path: str) -> None:
    settings = load_settings(
        data_dir=tmp_path, dashboard_password="a secret", dashboard_url="http://127.0.0.1:8501/meters"
    )
    with started(settings) as app:
        for method in ("GET", "PUT", "POST", "OPTIONS", "HEAD"):
            assert ask(app, path, method=method).status == 401, f"{method} {path}"
        assert not ask(app, path, kind="websocket").is_accepted


def test_under_a_path_of_a_proxy_all_links_have_it(tmp_path: Path) -> None:
    settings = load_settings(
        data_dir=tmp_path, dashboard_password="a secret", dashboard_url="https://intranet.example/meters"
    )
    here = {"host": "intranet.example"}
    with started(settings) as app:
        assert ask(app, "/meters", headers=here).headers["location"] == "/meters/"
        assert '<form method="post" action="/meters/login">' in ask(app, "/meters/unknowns", headers=here).text
        entered = ask(app, "/meters/login", method="POST", headers=here, body=b"password=a+secret&next=/unknowns")
        assert entered.headers["location"] == "/meters/unknowns"
        inside = here | {"cookie": entered.headers["set-cookie"].partition(";")[0]}
        assert '<div id="root">' in ask(app, "/meters/unknowns", headers=inside).text
        assert ask(app, "/meters/review/overview", headers=inside).json()["error"], "our route, without its secret"
        assert '<div id="root">' in ask(app, "/unknowns", headers=inside).text, "and without the proxy"


def test_every_answer_says_where_it_may_be_shown(closed: ASGIApp) -> None:
    for path in ("/", "/login", "/_stcore/health", "/nowhere"):
        headers = ask(closed, path).headers
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors" in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"], "the login page needs no script"
    assert "script-src" not in headers["content-security-policy"]


def test_a_foreign_name_does_not_even_see_the_login(closed: ASGIApp) -> None:
    answer = ask(closed, "/login", method="POST", headers={"host": "evil.example"}, body=b"password=a+secret")
    assert answer.status == 403
    assert "Password" not in answer.text


def test_the_login_opens_streamlit_and_our_routes(closed: ASGIApp) -> None:
    entered = ask(closed, "/login", method="POST", body=b"password=a+secret&next=/unknowns")
    assert (entered.status, entered.headers["location"]) == (303, "/unknowns")
    cookie = {"cookie": entered.headers["set-cookie"].partition(";")[0]}
    assert '<div id="root">' in ask(closed, "/unknowns", headers=cookie).text
    assert ask(closed, PATHS[-1], headers=cookie).json() == {"error": "The photo is not on the disk any more."}
    assert ask(closed, "/review/overview", headers=cookie).status == 403, "the page's secret is asked for as well"


def test_without_a_password_the_pages_are_open_to_this_machine_under_its_own_name(tmp_path: Path) -> None:
    with started(load_settings(data_dir=tmp_path, dashboard_url="https://meters.example")) as app:
        for host in ("127.0.0.1:8501", "meters.example"):
            assert ask(app, "/classes", headers={"host": host}).status == 200
        assert ask(app, "/classes", headers={"host": "evil.example"}).status == 403


@pytest.mark.slow
def test_ctrl_c_ends_the_server_in_order_though_it_comes_twice(tmp_path: Path) -> None:
    """A terminal sends it to every process it started, and `meter dashboard` passes it on."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "meter_pipeline.dashboard", "--port", str(port)],
        env=environment(tmp_path / "data"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_until_up(process, port)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    printed, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in printed


def test_an_empty_password_lets_nobody_in_by_mistake(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, dashboard_password="")
    with pytest.raises(MeterError, match=r"password is empty.*METER_DASHBOARD_PASSWORD"):
        build_app(settings)
