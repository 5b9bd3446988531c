"""A small HTTP server on the loopback address that serves one folder of photos and counts the requests."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

from meter_pipeline.errors import MeterError

LOOPBACK = "127.0.0.1"
DEMO_PORT = 8765
"""The demo's port, fixed so that the URLs of a second demo are those of the first and nothing is fetched again."""

_CONTENT_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".html": "text/html; charset=utf-8",
}
_LISTEN_BACKLOG = 64

_logger = logging.getLogger(__name__)


class ImageServer:
    """Serves the files below a folder at `http://127.0.0.1:<port>/<path>`; a context manager.

    GET and HEAD answer 200 with the file, 404 if there is no such file. There are no listings, and no path leads out of
    the folder. The folder may still be empty or missing when the server starts.

    Args:
        folder: what is served.
        port: the port to listen on; 0: any free one.
        latency_s: seconds that each answer waits, to act as a slow server.
        fallback: whether any free port is taken if `port` is busy.

    Attributes:
        hits: number of requests by path (percent-decoded, without the query), refused ones included.

    Raises:
        MeterError: on entering, if the port is busy and `fallback` is off.
    """

    def __init__(self, folder: Path, port: int = 0, latency_s: float = 0.0, *, fallback: bool = True) -> None:
        self.folder = folder
        self.latency_s = latency_s
        self.hits: Counter[str] = Counter()
        self._wanted_port = port
        self._fallback = fallback
        self._answers: dict[str, int] = {}
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port it listens on; only while it runs."""
        if self._server is None:
            raise RuntimeError("The image server is not running.")
        return int(self._server.server_address[1])

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:<port>`, without a slash at the end; only while it runs."""
        return f"http://{LOOPBACK}:{self.port}"

    def answer(self, path: str, status: int | None) -> None:
        """From now on answer `status` (404, 500, ...) for `path`; None serves the file again."""
        with self._lock:
            if status is None:
                self._answers.pop(path, None)
            else:
                self._answers[path] = int(status)

    def start(self) -> ImageServer:
        """Listen and serve in a thread; returns itself."""
        self._server = self._listen()
        # A short poll: leaving the context waits for at most one.
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="image-server", daemon=True
        )
        self._thread.start()
        _logger.info("Serving %s at %s", self.folder, self.base_url)
        return self

    def stop(self) -> None:
        """Stop listening; requests under way are cut off."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
        self._server = self._thread = None

    def __enter__(self) -> ImageServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _listen(self) -> ThreadingHTTPServer:
        try:
            return _Server((LOOPBACK, self._wanted_port), self)
        except OSError as error:
            if self._wanted_port and self._fallback:
                _logger.info("Port %d is in use; the image server takes a free one.", self._wanted_port)
                return _Server((LOOPBACK, 0), self)
            raise MeterError(
                f"The image server cannot listen: {error}",
                where=f"{LOOPBACK}:{self._wanted_port}",
                fix="Stop the program that uses the port, or choose another port.",
            ) from error

    def _answer_for(self, path: str) -> tuple[int, Path | None]:
        """Count a request; return its status and the file to send with it."""
        with self._lock:
            self.hits[path] += 1
            told = self._answers.get(path)
        if told is not None:
            return told, None
        file = file_below(self.folder, path)
        return (HTTPStatus.OK, file) if file else (HTTPStatus.NOT_FOUND, None)


def file_below(folder: Path, url_path: str) -> Path | None:
    """Return the file that a decoded URL path names; None if there is no such file below `folder`."""
    if "\x00" in url_path or "\\" in url_path:
        return None
    root = folder.resolve()
    try:
        file = (root / url_path.lstrip("/")).resolve()
    except (OSError, ValueError):
        return None
    return file if file.is_relative_to(root) and file.is_file() else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = _LISTEN_BACKLOG
    # The next demo can have the port at once; on Windows, however, two servers would silently share it.
    allow_reuse_address = os.name != "nt"

    def __init__(self, address: tuple[str, int], images: ImageServer) -> None:
        self.images = images
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    # HTTP/1.0, one connection per request: one that is kept alive would be answered even after `stop`.
    server: _Server
    timeout = 30.0

    def do_GET(self) -> None:
        self._send(with_body=True)

    def do_HEAD(self) -> None:
        self._send(with_body=False)

    def _send(self, *, with_body: bool) -> None:
        images = self.server.images
        status, file = images._answer_for(unquote(urlsplit(self.path).path))
        if images.latency_s:
            time.sleep(images.latency_s)
        body = file.read_bytes() if file else f"{int(status)}\n".encode()
        kind = _CONTENT_TYPES.get(file.suffix.lower(), "application/octet-stream") if file else "text/plain"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing to the terminal, where each request would be a line; `hits` has the counts."""
