"""The dashboard as one ASGI application: Streamlit's pages, our routes, and who may ask for either."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import FrameType

import streamlit as st
from starlette.middleware import Middleware

import meter_pipeline.dashboard.app
from meter_pipeline.dashboard.server.addresses import is_every_address, path_of
from meter_pipeline.dashboard.server.headers import SafeHeaders
from meter_pipeline.dashboard.server.hosts import Hosts, Service
from meter_pipeline.dashboard.server.login import Login
from meter_pipeline.dashboard.server.review_routes import review_routes
from meter_pipeline.dashboard.server.sub_path import SubPath
from meter_pipeline.dashboard.server.thumbnails import thumbnail_route
from meter_pipeline.dashboard.server.token import token_route
from meter_pipeline.dashboard.server.uploads import LARGEST_UPLOAD_MB, Key, Uploads
from meter_pipeline.errors import MeterError
from meter_pipeline.review.page.desk import ReviewDesk
from meter_pipeline.settings import Settings
from meter_pipeline.storage.layout import Layout

SCRIPT = Path(meter_pipeline.dashboard.app.__file__).with_name("main.py")
SERVICE = Service(name="the dashboard", setting="METER_DASHBOARD_URL", command="meter dashboard")
CONTENT_POLICY = {
    "default-src": "'self'",
    "script-src": "'self' blob: 'unsafe-eval'",  # the review page comes as a blob; the charts compile their formulas
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "media-src": "'self' data: blob:",
    "connect-src": "'self'",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
}
"""What Streamlit's pages need, and no other site."""
OPTIONS: dict[str, object] = {
    "server.headless": True,
    "server.fileWatcherType": "none",
    "server.runOnSave": False,
    "server.maxUploadSize": LARGEST_UPLOAD_MB,
    "browser.gatherUsageStats": False,
    "client.toolbarMode": "viewer",
    "client.showErrorLinks": False,
    "client.disableDataExport": True,  # its CSV would let a sheet's text run as a formula; our downloads do not
    "theme.light.primaryColor": "#1f6feb",
    "theme.dark.primaryColor": "#5aa2ff",
    "runner.magicEnabled": False,
}


def build_app(settings: Settings, *, host: str = "127.0.0.1") -> st.App:
    """Return the dashboard; nothing listens yet.

    Args:
        settings: the data directory, the password, and the addresses of a proxy in front.
        host: the address that the server is going to listen on.

    Raises:
        MeterError: the password is set and empty.
    """
    if settings.dashboard_password is not None and not settings.dashboard_password.get_secret_value():
        raise MeterError(
            "The password is empty: everybody would come in.",
            where="METER_DASHBOARD_PASSWORD",
            fix="Set one, or remove the setting.",
        )
    layout = Layout(settings.data_dir)
    middleware = [
        Middleware(SafeHeaders, content_policy={**CONTENT_POLICY, "script-src": _script_sources()}),
        Middleware(Hosts, service=SERVICE, listens_on=host, public_urls=settings.dashboard_url),
        Middleware(SubPath, paths=[path_of(url) for url in settings.dashboard_url]),
    ]
    if settings.dashboard_password is not None:
        middleware.append(Middleware(Login, password=settings.dashboard_password.get_secret_value()))
    middleware.append(Middleware(Uploads, kept=_kept_uploads))
    routes = [thumbnail_route(layout), token_route(), *review_routes(ReviewDesk(layout))]
    return st.App(SCRIPT, routes=routes, middleware=middleware, lifespan=_ends_at_the_first_interrupt)


def _script_sources() -> str:
    """Return where scripts may come from, with the hashes of those that are written into Streamlit's page."""
    page = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    written = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in written]
    return " ".join([CONTENT_POLICY["script-src"], *(f"'sha256-{each}'" for each in hashes)])


def _kept_uploads() -> list[Key]:
    """Return the files that Streamlit holds for open pages."""
    from streamlit.runtime import Runtime

    files: dict[str, dict[str, object]] = Runtime.instance().uploaded_file_mgr.file_storage  # type: ignore[attr-defined]
    return [(session, file) for session, of_session in list(files.items()) for file in list(of_session)]


def run(settings: Settings, *, host: str, port: int) -> None:
    """Serve the dashboard until this process is told to stop."""
    app = build_app(settings, host=host)
    sys.argv = [str(SCRIPT)]  # Streamlit imports from beside what was started: that must not be our package's inside
    address: dict[str, object] = {"server.address": host, "server.port": port}
    if is_every_address(host):  # else Streamlit asks a server on the internet for this machine's public address
        address["browser.serverAddress"] = "localhost"
    with contextlib.suppress(KeyboardInterrupt):  # the server has ended by then
        app.run(config={**OPTIONS, **address})


@contextlib.asynccontextmanager
async def _ends_at_the_first_interrupt(_app: st.App) -> AsyncIterator[None]:
    """Let the first Ctrl-C end the server in order, and ignore the next one.

    A terminal sends it to `meter dashboard` and to this process, and `meter dashboard` passes it on: two of them, of
    which the second would break off the end. Whoever does not want to wait is helped by `meter dashboard`, which ends
    this process by force after a while.
    """
    end = signal.getsignal(signal.SIGINT)

    def once(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if callable(end):
            end(number, frame)

    signal.signal(signal.SIGINT, once)
    yield
