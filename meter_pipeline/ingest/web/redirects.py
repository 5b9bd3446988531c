"""Where a redirect leads, read as browsers read it, and the cookies that a chain of redirects asks to be given back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from meter_pipeline.ingest.web.urls import MAX_URL_LENGTH, UrlRefusedError, clean_url, host_of

MAX_REDIRECTS = 20
"""As many as browsers follow (the Fetch standard)."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_COOKIES = 50
MAX_COOKIE = 4_096
"""Characters of a cookie; RFC 6265 asks for no more."""

_KEPT = "/:?#[]@!$&'()*+,;=%-._~|"
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_COOKIE = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+=[\x21-\x3a\x3c-\x7e]*")
_GONE = re.compile(r";\s*(?:max-age\s*=\s*(?:0|-\d+)|expires\s*=[^;]*\b19[79]\d)\b", re.IGNORECASE)


def redirected(url: str, location: str) -> str:
    """Return the URL that a `Location` header leads to.

    Args:
        url: the URL that answered with the redirect.
        location: the header, as `http.client` gives it: each byte a character. Servers put UTF-8 into it as it is,
            although they should not.

    Raises:
        UrlRefusedError: it does not lead to an http(s) URL, or to one that is never fetched.
    """
    raw = location.encode("latin-1", "replace")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in raw)
    text = _CONTROLS.sub("", text).strip(" ")
    path, mark, rest = text.partition("?") if "?" in text.partition("#")[0] else text.partition("#")
    try:
        parts = urlsplit(urljoin(url, path.replace("\\", "/") + mark + rest))
    except ValueError as error:
        raise UrlRefusedError("not a URL (its host cannot be read)") from error
    if parts.scheme not in ("http", "https"):
        raise UrlRefusedError(f"{parts.scheme or 'this'}: is never fetched, only http and https")
    host = urlsplit(clean_url(f"{parts.scheme}://{parts.netloc}/"))  # the same rules as for a sheet's URL
    target = urlunsplit((host.scheme, host.netloc, _encoded(parts.path) or "/", _encoded(parts.query), ""))
    if len(target) > MAX_URL_LENGTH:
        raise UrlRefusedError(f"the URL has more than {MAX_URL_LENGTH:,} characters")
    return target


def _encoded(text: str) -> str:
    """Return the text with all that a URL may not hold percent-encoded, and what is encoded already as it is."""
    return quote(_LONE_PERCENT.sub("%25", text), safe=_KEPT)


class ChainCookies:
    """The cookies of one chain of redirects: each is given back to the host that set it, and forgotten at the end.

    Some stores set a cookie and redirect, and go on redirecting until they see it. No host gets another's cookie, one
    set over https does not travel over http, and no later request gets any.
    """

    def __init__(self) -> None:
        self._by_origin: dict[tuple[str, bool], dict[str, str]] = {}

    def take(self, url: str, headers: Iterable[str]) -> None:
        """Keep what the answer of `url` sets, by its `Set-Cookie` headers."""
        kept = self._by_origin.setdefault(_origin(url), {})
        for header in headers:
            pair = header.partition(";")[0].strip()
            if len(pair) > MAX_COOKIE or not _COOKIE.fullmatch(pair):
                continue
            name, _, value = pair.partition("=")
            if _GONE.search(header):
                kept.pop(name, None)
            elif name in kept or len(kept) < MAX_COOKIES:
                kept[name] = value

    def header_of(self, url: str) -> str:
        """Return the `Cookie` header of a request for `url`; empty where there is nothing to give back."""
        host, secure = _origin(url)
        kept = dict(self._by_origin.get((host, False), {}))
        if secure:
            kept |= self._by_origin.get((host, True), {})
        return "; ".join(f"{name}={value}" for name, value in kept.items())


def _origin(url: str) -> tuple[str, bool]:
    return host_of(url), url.startswith("https:")
