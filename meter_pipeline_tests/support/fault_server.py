"""A loopback HTTP server that does everything an image host can do wrong, each under a path of its own."""

from __future__ import annotations

import email.utils
import gzip
import io
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from meter_pipeline_tests.support.odd_images import odd_image

CANARY = "/canary"
"""A path nobody may reach unless the loopback address is on the allow-list."""


def jpeg(seed: int = 0, width: int = 120, height: int = 200) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=80)
    return buffer.getvalue()


PHOTO = jpeg()
BOMB = gzip.compress(PHOTO + bytes(50_000_000))


class FaultServer(ThreadingHTTPServer):
    """Counts requests by path in `hits`; a context manager. Photos are at `/photo/<number>.jpg`."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, latency_s: float = 0.0, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.latency_s = latency_s
        self.hits: Counter[str] = Counter()
        self.headers: dict[str, dict[str, str]] = {}
        self.times: dict[str, list[float]] = {}
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        self.closing = threading.Event()

    def __enter__(self) -> FaultServer:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.server_address[1]}{path}"

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what many of the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: FaultServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        with self.server.lock:
            self.server.hits[path] += 1
            hit = self.server.hits[path]
            self.server.headers[path] = {name.lower(): value for name, value in self.headers.items()}
            self.server.times.setdefault(path, []).append(time.monotonic())
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
        if self.server.latency_s:
            time.sleep(self.server.latency_s)
        with self.server.lock:
            self.server.at_once -= 1  # before the answer: the client may ask again before this thread goes on
        if path.startswith("/photo/"):
            self.send(200, jpeg(int(path.split("/")[2].removesuffix(".jpg")) % 1000))
        elif path.startswith("/status/"):
            self.send(int(path.split("/")[2]), b"no")
        elif path.startswith("/image/"):
            self.send(200, odd_image(path.split("/")[2]), {"Content-Type": "image/jpeg"})
        elif path.startswith("/chain/"):
            left = int(path.split("/")[2])
            self.redirect(f"/chain/{left - 1}" if left else "/photo/1.jpg")
        elif path.startswith("/moved/"):
            self.redirect(MOVED[path.split("/")[2]].encode().decode("latin-1"))
        elif path.startswith("/says/"):
            status, body, headers = SAYINGS[path.split("/")[2]]
            self.send(status, body.encode(), headers)
        elif path.startswith("/same/"):
            self.send(200, PHOTO)
        elif (fault := FAULTS.get(path)) is not None:
            fault(self, hit)
        else:
            self.send(404, b"no")

    def send(self, status: int, body: bytes, headers: dict[str, str] | None = None, length: int | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def redirect(self, target: str, status: int = 302) -> None:
        self.send(status, b"", {"Location": target, "Set-Cookie": "session=secret; Path=/"})

    def hang_up(self) -> None:
        """Reset, not just close."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def endless(self, chunk: bytes, pause_s: float) -> None:
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        self.wfile.write(PHOTO[:300])
        while not self.server.closing.wait(pause_s):
            self.wfile.write(chunk)


def _reset_mid_body(handler: _Handler, hit: int) -> None:
    handler.send(200, PHOTO[: len(PHOTO) // 2], length=len(PHOTO))
    handler.wfile.flush()
    handler.hang_up()


def _short_body(handler: _Handler, hit: int) -> None:
    handler.send(200, PHOTO[: len(PHOTO) // 2], length=len(PHOTO))
    handler.close_connection = True


def _drip_header(handler: _Handler, hit: int) -> None:
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not handler.server.closing.wait(0.1):
        handler.wfile.write(b"X-A: b\r\n"[hit % 8 : hit % 8 + 1] or b"X")


def _never(handler: _Handler, hit: int) -> None:
    handler.server.closing.wait(30)
    handler.close_connection = True


def _cookie_wall(handler: _Handler, hit: int) -> None:
    """Set a cookie, and redirect to the same URL until it comes back."""
    if "seen=yes" in (handler.headers.get("Cookie") or ""):
        handler.send(200, PHOTO)
    else:
        handler.send(302, b"", {"Location": "/cookie-wall", "Set-Cookie": "seen=yes; Path=/; HttpOnly"})


def _new_cookie_each_time(handler: _Handler, hit: int) -> None:
    handler.send(302, b"", {"Location": "/cookie-circle", "Set-Cookie": f"visit={hit}"})


def _chunked_refusal(handler: _Handler, hit: int) -> None:
    """As S3 sends its errors."""
    body = SAYINGS["s3-expired"][1].encode()
    handler.send_response(403)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n")


def _dripping_refusal(handler: _Handler, hit: int) -> None:
    handler.send_response(403)
    handler.end_headers()
    handler.close_connection = True
    while not handler.server.closing.wait(0.1):
        handler.wfile.write(b"x")


def _first_then_photo(status: int, headers: dict[str, str] | None = None) -> Callable[[_Handler, int], None]:
    def fault(handler: _Handler, hit: int) -> None:
        handler.send(status, b"no", headers) if hit == 1 else handler.send(200, PHOTO)

    return fault


def _date_then_photo(handler: _Handler, hit: int) -> None:
    moment = email.utils.formatdate(time.time() + 1.2, usegmt=True)
    _first_then_photo(503, {"Retry-After": moment})(handler, hit)


def _reset_then_photo(handler: _Handler, hit: int) -> None:
    handler.hang_up() if hit == 1 else handler.send(200, PHOTO)


def _no_length(handler: _Handler, hit: int) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(PHOTO)
    handler.close_connection = True


def _same_etag(handler: _Handler, hit: int) -> None:
    if handler.headers.get("If-None-Match") == '"v1"':
        handler.send(304, b"")
    else:
        handler.send(200, PHOTO, {"ETag": '"v1"'})


def _changing(handler: _Handler, hit: int) -> None:
    moment = f"Fri, 01 May 2026 12:00:{hit - 1:02d} GMT"
    if handler.headers.get("If-Modified-Since") == moment:
        handler.send(304, b"")
    else:
        handler.send(200, jpeg(800 + hit), {"Last-Modified": moment})


def _photo_then_404(handler: _Handler, hit: int) -> None:
    handler.send(200, PHOTO) if hit == 1 else handler.send(404, b"no")


def _garbage(handler: _Handler, hit: int) -> None:
    handler.wfile.write(b"\x16\x03\x01 not HTTP\r\n\r\n")
    handler.close_connection = True


MOVED = {
    "raw": "/umlaut/Zähler%205.jpg",
    "raw-with-blank": "/umlaut/Zähler 5.jpg",
    "raw-relative": "../umlaut/Zähler%205.jpg",
    "encoded": "/umlaut/Z%C3%A4hler%205.jpg",
    "fragment": "/umlaut/Zähler%205.jpg#Bild-ü",
    "backslashes": "\\umlaut\\Zähler%205.jpg",
    "blanks-around": "  /umlaut/Zähler%205.jpg  ",
    "lone-percent": "/umlaut/100% %28a%29%2C.jpg",
    "stray-end": "/umlaut/(a),.jpg",
    "query": "/photo/1.jpg?name=Zähler&next=a\\b",
    "to-itself": "/moved/to-itself",
    "ping": "/moved/pong",
    "pong": "/moved/ping",
    "to-javascript": "javascript:alert(1)",
    "to-nothing": "http://",
    "to-inside": "//10.255.255.1/Zähler.jpg",
}
"""Where `/moved/<kind>` leads, sent as UTF-8."""

_ERROR = (
    "<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>{}</Code><Message>{}</Message><HostId>k3y</HostId></Error>"
)
_XML = {"Content-Type": "application/xml"}
_HTML = {"Content-Type": "text/html"}
SAYINGS: dict[str, tuple[int, str, dict[str, str]]] = {
    "s3-expired": (403, _ERROR.format("AccessDenied", "Request has expired"), _XML),
    "s3-token": (400, _ERROR.format("ExpiredToken", "The provided token has expired."), _XML),
    "s3-signature": (403, _ERROR.format("SignatureDoesNotMatch", "The request signature we calculated ..."), _XML),
    "s3-no-key": (404, _ERROR.format("NoSuchKey", "The specified key does not exist."), _XML),
    "s3-denied": (403, _ERROR.format("AccessDenied", "Access Denied"), _XML),
    "azure-expired": (
        403,
        "\ufeff<?xml version='1.0'?><Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate."
        "</Message><AuthenticationErrorDetail>Signature not valid in the specified time frame: Start [..]"
        "</AuthenticationErrorDetail></Error>",
        _XML,
    ),
    "azure-private": (409, _ERROR.format("PublicAccessNotPermitted", "Public access is not permitted"), _XML),
    "supabase": (400, '{"statusCode":"400","error":"InvalidJWT","message":"jwt expired"}', {}),
    "qiniu": (401, '{"error":"token out of date"}', {}),
    "discord": (404, "This content is no longer available.", {}),
    "200-expired": (200, _ERROR.format("AccessDenied", "Request has expired"), _XML),
    "password": (200, "<!DOCTYPE html><html><form><input name=p type='password'></form></html>", _HTML),
    "sign-in-title": (200, "<html><head><title>Anmelden - Portal</title></head></html>" + " " * 5_000, _HTML),
    "not-found": (200, "<html><head><title>404 - Seite nicht gefunden</title></head></html>", _HTML),
    "robot": (200, "<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>", _HTML),
    "fault": (200, "<html><head><title>Runtime Error</title></head></html>", _HTML),
    "share-page": (200, "<!DOCTYPE html><html><head><title>Album</title></head><body>hello</body></html>", _HTML),
    "sharepoint-image": (
        200,
        '{"type":"thumbnail","fileName":"a.jpg","serverUrl":"https://c.sharepoint.com","serverRelativeUrl":"/s/a.jpg"}',
        {},
    ),
    "json-error": (200, '{"error": {"code": 404, "message": "gone"}}', {}),
    "json": (200, '{"type": "FeatureCollection", "features": []}', {}),
}
"""What `/says/<kind>` answers with: status, body, headers."""

FAULTS: dict[str, Callable[[_Handler, int], None]] = {
    CANARY: lambda h, _: h.send(200, PHOTO),
    **dict.fromkeys(
        ("/umlaut/Z%C3%A4hler%205.jpg", "/umlaut/Z%E4hler.jpg", "/umlaut/100%25%20%28a%29%2C.jpg", "/umlaut/(a),.jpg"),
        lambda h, _: h.send(200, PHOTO),
    ),
    "/cookie-wall": _cookie_wall,
    "/cookie-circle": _new_cookie_each_time,
    "/chunked-refusal": _chunked_refusal,
    "/dripping-refusal": _dripping_refusal,
    "/loop": lambda h, _: h.redirect("/loop"),
    "/to-private": lambda h, _: h.redirect("http://10.255.255.1/photo.jpg"),
    "/to-metadata": lambda h, _: h.redirect("http://169.254.169.254/latest/meta-data/"),
    "/to-file": lambda h, _: h.redirect("file:///etc/passwd"),
    "/to-user": lambda h, _: h.redirect("http://user:secret@127.0.0.1/photo/1.jpg"),
    "/nowhere": lambda h, _: h.send(302, b"no"),
    "/500-then-photo": _first_then_photo(500),
    "/429-then-photo": _first_then_photo(429, {"Retry-After": "1"}),
    "/503-date": _date_then_photo,
    "/429-nonsense": _first_then_photo(429, {"Retry-After": "soon"}),
    "/429-tomorrow": lambda h, _: h.send(429, b"no", {"Retry-After": "86400"}),
    "/reset": lambda h, _: h.hang_up(),
    "/reset-then-photo": _reset_then_photo,
    "/reset-mid-body": _reset_mid_body,
    "/short-body": _short_body,
    "/drip-body": lambda h, _: h.endless(b"x", 0.1),
    "/drip-header": _drip_header,
    "/never": _never,
    "/5-gigabytes": lambda h, _: h.send(200, PHOTO, length=5_000_000_000),
    "/endless": lambda h, _: h.endless(b"x" * 65536, 0.0),
    "/gzip-bomb": lambda h, _: h.send(200, BOMB, {"Content-Encoding": "gzip"}),
    "/gzip-photo": lambda h, _: h.send(200, gzip.compress(PHOTO), {"Content-Encoding": "gzip"}),
    "/html": lambda h, _: h.send(200, b"<!DOCTYPE html><html>Please log in</html>", {"Content-Type": "image/jpeg"}),
    "/pdf": lambda h, _: h.send(200, b"%PDF-1.7 " + bytes(2000), {"Content-Type": "image/jpeg"}),
    "/empty": lambda h, _: h.send(200, b""),
    "/no-length": _no_length,
    "/garbage": _garbage,
    "/same-etag": _same_etag,
    "/changing": _changing,
    "/photo-then-404": _photo_then_404,
}  # fmt: skip
