"""A loopback HTTP proxy: forwards http, tunnels https, and can do what a company's proxy does wrong."""

from __future__ import annotations

import base64
import http.client
import select
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class ProxyServer(ThreadingHTTPServer):
    """Notes what it is asked for in `asked` (method and target); a context manager.

    Args:
        names: addresses of host names that only this proxy knows.
        password: `user:password` that it asks for.
        refuses: hosts that it does not let pass.
        silent: whether it takes connections and never answers.
        tls: its certificate, where it is reached by https.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        names: Mapping[str, str] | None = None,
        password: str = "",
        refuses: frozenset[str] = frozenset(),
        silent: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.names, self.password, self.refuses, self.silent = names or {}, password, refuses, silent
        self.asked: list[tuple[str, str]] = []
        self.sent: list[dict[str, str]] = []
        self.closing = threading.Event()
        self.scheme = "https" if tls else "http"
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)

    def __enter__(self) -> ProxyServer:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()

    def url(self, user: str = "") -> str:
        return f"{self.scheme}://{user + '@' if user else ''}127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """A client that hangs up."""


class _Handler(BaseHTTPRequestHandler):
    server: ProxyServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        host = parts.hostname or ""
        if not self._let_pass(host):
            return
        upstream = http.client.HTTPConnection(self.server.names.get(host, host), parts.port or 80, timeout=5)
        try:
            kept = {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")}
            upstream.request("GET", f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}", headers=kept)
            answer = upstream.getresponse()
            self._answer(answer.status, answer.read(), dict(answer.getheaders()))
        except OSError:
            self._answer(503, b"<html>The requested URL could not be retrieved</html>", {"X-Squid-Error": "ERR_DNS 0"})
        finally:
            upstream.close()

    def do_CONNECT(self) -> None:
        host, _, port = self.path.rpartition(":")
        if not self._let_pass(host):
            return
        try:
            upstream = socket.create_connection((self.server.names.get(host, host), int(port)), timeout=5)
        except OSError:
            self._answer(503, b"", {})
            return
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.close_connection = True
        ends = {self.connection: upstream, upstream: self.connection}
        with upstream, suppress(OSError):
            while not self.server.closing.is_set():
                for ready in select.select(list(ends), [], [], 0.05)[0]:
                    if not (data := ready.recv(65536)):
                        return
                    ends[ready].sendall(data)

    def _let_pass(self, host: str) -> bool:
        self.server.asked.append((self.command, self.path))
        self.server.sent.append({name.lower(): value for name, value in self.headers.items()})
        if self.server.silent:
            self.server.closing.wait(10)
            self.close_connection = True
            return False
        wanted = f"Basic {base64.b64encode(self.server.password.encode()).decode()}" if self.server.password else None
        if self.headers.get("Proxy-Authorization") != wanted and wanted:
            self._answer(407, b"", {"Proxy-Authenticate": 'Basic realm="proxy"'})
        elif host in self.server.refuses:
            self._answer(403, b"<html>Blocked by the proxy</html>", {"X-Squid-Error": "ERR_ACCESS_DENIED 0"})
        else:
            return True
        return False

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
