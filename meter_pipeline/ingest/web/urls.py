"""From what a person typed or pasted as a URL to a URL that can be fetched, or a reason why it is refused.

Cleaning changes as little as possible, so that people find their own URL again in the exports. How URLs are found in a
cell is in `cell_urls`; whether a host may be reached is in `addresses`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit, urlunsplit

from meter_pipeline.storage.masking import mask_urls

MAX_URL_LENGTH = 8_000
"""Characters; servers refuse requests from about 8 KB on."""

NOT_A_URL = "not a URL"
"""The reason for a text that shows no sign of being meant as a URL."""

# Zero-width and direction marks, soft hyphen, byte order mark: invisible, and pasted along from mails and web pages.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\x00-\x08\x0e-\x1f\x7f]"
)
_SPACE = re.compile(r"\s")
_WRAPPED = {"(": ")", "[": "]"}
_STRAY_ENDS = "\"'<>,;|\u201c\u201d\u2018\u2019"
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
HTTP = re.compile(r"(https?)[:\uff1a][/\\\uff0f\uff3c]+", re.IGNORECASE)
"""How a URL begins; with full-width signs too, as Asian input methods write them."""
_SCHEME = re.compile(r"([a-z][a-z0-9+.\-]*):(?![0-9]+(?:[/?#]|$))", re.IGNORECASE)
_WINDOWS_PATH = re.compile(r"[a-z]:[/\\]", re.IGNORECASE)
_LABEL = r"[a-z0-9\u00a1-\uffff](?:[a-z0-9\u00a1-\uffff_\-]{0,61}[a-z0-9\u00a1-\uffff])?"
NO_SCHEME = re.compile(
    rf"(?:(?:{_LABEL}\.)+[a-z\u00a1-\uffff]{{2,}}|(?:[0-9]{{1,3}}\.){{3}}[0-9]{{1,3}})(?::[0-9]{{1,5}})?/\S",
    re.IGNORECASE,
)
_PLAIN_PART = r"[A-Za-z0-9._~!$&*+=:@/\-]*+(?:%[0-9A-Fa-f]{2}[A-Za-z0-9._~!$&*+=:@/\-]*+)*+"
PLAIN = re.compile(
    rf"https?://[a-z0-9][a-z0-9.\-]{{0,250}}(?::[1-9][0-9]{{0,3}})?(?:/{_PLAIN_PART}(?:\?(?!$){_PLAIN_PART})?)?(?<![.:!])"
)
"""A URL that cleaning does not change: most URLs are, and this takes a hundredth of the time."""
_HOST = re.compile(r"https?://([^/?#]*)")
_HOST_CHARACTERS = re.compile(r"[a-z0-9._\-]+|[0-9a-f:.]+")


class UrlRefusedError(ValueError):
    """This text is not a URL that can be fetched; the message says why."""


@dataclass(frozen=True)
class CellUrl:
    """One URL of a cell, or why it is refused.

    Attributes:
        url: the cleaned URL; if it is refused, what stood there.
        reason: why it is refused; None if it is fetched.
    """

    url: str
    reason: str | None = None


def looks_like_url(text: str) -> bool:
    """Return whether a cell holds an http(s) URL, alone or among other text."""
    return HTTP.match(text) is not None or ("ttp" in text.lower() and HTTP.search(without_invisible(text)) is not None)


def looks_like_schemeless_url(text: str) -> bool:
    """Return whether a cell looks like a URL whose `http://` is missing: a host name with a dot, a slash, a path."""
    return "/" in text and "." in text and NO_SCHEME.match(bare_text(text)) is not None


def clean_url(text: str) -> str:
    """Return the URL that `text` means: without quotes, brackets and invisible characters around it.

    Cleaning a clean URL changes nothing. A missing scheme becomes `http://` (servers lead on to https, seldom
    back); scheme and host become lower case.

    Raises:
        UrlRefusedError: it is not an http(s) URL, or one that is never fetched.
    """
    bare = bare_text(text)
    if not bare:
        raise UrlRefusedError("no URL")
    if len(bare) > MAX_URL_LENGTH:
        raise UrlRefusedError(f"the URL has more than {MAX_URL_LENGTH:,} characters")
    parts = _split(_with_scheme(bare))
    return urlunsplit(
        (parts.scheme.lower(), _authority(parts), _escaped(parts.path), _escaped(parts.query), _escaped(parts.fragment))
    )


def host_of(url: str) -> str:
    """Return the host of a cleaned URL, with its port where it names one."""
    found = _HOST.match(url)
    return found[1] if found else urlsplit(url).netloc


def without_invisible(text: str) -> str:
    """Return the text without characters that nobody sees and that are pasted along."""
    return text if text.isascii() and text.isprintable() else _INVISIBLE.sub("", text)


def bare_text(text: str) -> str:
    """Return the text without invisible characters, outer white space, and outer quotes and brackets."""
    bare = without_invisible(text)
    start, end = 0, len(bare)
    while start < end:
        first, last = bare[start], bare[end - 1]
        if first.isspace() or first in _STRAY_ENDS:
            start += 1
        elif last.isspace() or last in _STRAY_ENDS:
            end -= 1
        elif end - start > 1 and _WRAPPED.get(first) == last:
            start, end = start + 1, end - 1
        else:
            break
    return bare[start:end]


def _with_scheme(bare: str) -> str:
    http = HTTP.match(bare)
    if http:
        rest = bare[http.end() :]
        path, mark, query = rest.partition("?")
        return f"{http.group(1).lower()}://" + path.replace("\\", "/") + mark + query
    if bare.startswith(("\\\\", "//")):
        raise UrlRefusedError("a path on a network drive, not a URL")
    if _WINDOWS_PATH.match(bare) or bare.startswith(("/", "\\", "~", "./", "../")):
        raise UrlRefusedError("a path on somebody's computer, not a URL")
    scheme = _SCHEME.match(bare)
    if scheme and not NO_SCHEME.match(bare):
        name = scheme.group(1).lower()
        known = name in {
            "data",
            "file",
            "ftp",
            "ftps",
            "sftp",
            "javascript",
            "mailto",
            "blob",
            "about",
            "ws",
            "wss",
            "s3",
            "gs",
        }
        raise UrlRefusedError(f"{name}: is never fetched, only http and https" if known else NOT_A_URL)
    if not NO_SCHEME.match(bare):
        raise UrlRefusedError(NOT_A_URL)
    return f"http://{bare}"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UrlRefusedError("not a URL (its host or port cannot be read)") from error  # not its words: they quote it
    if port == 0:
        raise UrlRefusedError("not a URL (port 0)")
    if "@" in parts.netloc:
        raise UrlRefusedError("a URL with a user name or password in it is never fetched")
    return parts


def _authority(parts: SplitResult) -> str:
    host = (parts.hostname or "").strip()
    if not host:
        raise UrlRefusedError("not a URL (no host)")
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii").lower().rstrip(".")
        except UnicodeError as error:
            raise UrlRefusedError(f"not a URL (host {mask_urls(host)!r})") from error
    if not _HOST_CHARACTERS.fullmatch(host) or len(host) > 253 or not host.strip("."):
        raise UrlRefusedError(f"not a URL (host {host!r})")
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{parts.port}" if parts.port is not None else host


def _escaped(text: str) -> str:
    """Return the text with white space and lone percent signs percent-encoded: file names hold some, URLs may not."""
    text = _LONE_PERCENT.sub("%25", text) if "%" in text else text
    return _SPACE.sub(lambda match: "".join(f"%{byte:02X}" for byte in match.group().encode("utf-8")), text)
