"""From one URL to its bytes, or to a typed outcome that says why not: timeouts, limits, redirects, retries.

Only the first bytes are looked at, which tell whether it can be a picture; decoding is in `photos.decoding`, storing in
`photos.store`. What may be reached is in `addresses`, and is checked at connection time in `connections`. What is said
by an answer without a photo is put into words in `answers`.
"""

from __future__ import annotations

import email.utils
import random
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

import urllib3
import urllib3.exceptions
from requests.exceptions import RequestException
from urllib3 import BaseHTTPResponse

from meter_pipeline.ingest.web.addresses import AddressRules, BlockedAddressError
from meter_pipeline.ingest.web.answers import asks_to_sign_in, words_about_page, words_about_refusal
from meter_pipeline.ingest.web.connections import DeadlineWatch, GuardedPools, Resolver
from meter_pipeline.ingest.web.host_breaker import HostBreaker
from meter_pipeline.ingest.web.outcomes import RETRIED_STATUSES, Outcome, outcome_of_status, status_text
from meter_pipeline.ingest.web.proxies import Proxy
from meter_pipeline.ingest.web.redirects import MAX_REDIRECTS, REDIRECTS, ChainCookies, redirected
from meter_pipeline.ingest.web.urls import UrlRefusedError, host_of
from meter_pipeline.photos.decoding import SNIFFED_BYTES, is_a_picture, refusal_of_foreign, sniff
from meter_pipeline.settings import DownloadSettings
from meter_pipeline.storage.masking import SHOWN_LENGTH, mask_urls

USER_AGENT = "meter-pipeline"
CONNECT_S = 5.0
"""Longest time to connect, in seconds; a host that is up answers within one, wherever it is."""
TOTAL_TIMEOUTS = 3
"""One attempt may take this many times `download_timeout`."""
CHUNK_BYTES = 64 * 1024
READ_BY_A_LOOK = 4 * 1024
READ_OF_AN_ERROR = 16 * 1024
"""First bytes of an answer without a photo that are read for what they say."""
MAX_VALIDATOR = 500
"""Characters of an `ETag` or `Last-Modified` that is kept; a longer one is ignored."""
DRAINED_BYTES = 64 * 1024
"""An error page of up to this many bytes is read to its end, so that the connection can be used again."""


@dataclass(frozen=True)
class FetchLimits:
    """How long fetching a URL may take, and how large its photo may be.

    Attributes:
        connect_s: seconds to connect.
        read_s: seconds between two reads.
        total_s: seconds for one attempt, redirects included, whatever the server does.
        attempts: tries per URL, the first included; a failed probe of a host that may be down is not counted.
        max_bytes: a larger photo is refused.
        backoff_s: the longest wait before the second try; doubles with every further one.
        retry_after_cap_s: if a server asks for a longer wait, the URL is given up.
        addresses: what may be reached.
        proxy: what every request goes through; None: nothing.
    """

    connect_s: float = 5.0
    read_s: float = 20.0
    total_s: float = 60.0
    attempts: int = 3
    max_bytes: int = 20_000_000
    backoff_s: float = 0.5
    retry_after_cap_s: float = 30.0
    addresses: AddressRules = field(default_factory=AddressRules)
    proxy: Proxy | None = None

    @classmethod
    def from_settings(cls, settings: DownloadSettings) -> Self:
        """Take the limits from the settings.

        Raises:
            MeterError: an entry of `METER_ALLOW_NETWORKS` is not a network.
        """
        return cls(
            connect_s=min(CONNECT_S, settings.download_timeout),
            read_s=settings.download_timeout,
            total_s=TOTAL_TIMEOUTS * settings.download_timeout,
            attempts=settings.download_attempts,
            max_bytes=settings.download_max_bytes,
            addresses=AddressRules.of(settings.allow_hosts, settings.allow_networks),
            proxy=Proxy.of(settings.download_proxy.get_secret_value()) if settings.download_proxy else None,
        )


@dataclass(frozen=True)
class Validators:
    """Values by which a server tells whether a photo is still the same (RFC 9110, section 8.8).

    Attributes:
        etag: the answer's `ETag`.
        last_modified: the answer's `Last-Modified`.
    """

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        """Return the headers of a request that is answered with 304 if the photo is the same."""
        asked = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in asked.items() if value}


@dataclass(frozen=True)
class Fetched:
    """The result of fetching one URL.

    Attributes:
        outcome: `ok`, or in one word why not.
        content: the bytes; empty unless `ok`.
        attempts: tries made.
        seconds: from first try to last byte, waiting included.
        reason: why not, in a sentence for people; None if `ok`.
        validators: what a later request can send, to be told whether the photo is still the same.
    """

    outcome: str
    content: bytes
    attempts: int
    seconds: float
    reason: str | None = None
    validators: Validators = Validators()


_HEADERS = {"User-Agent": USER_AGENT, "Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity"}
_ERRNO = re.compile(r"^\[Errno -?\d+\] ")
_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (\d{3})")


class CancelledError(Exception):
    """The whole download was cancelled; the URL has no result."""


class _AttemptError(Exception):
    """One attempt failed."""

    def __init__(
        self,
        outcome: str,
        reason: str,
        *,
        again: bool = False,
        host_silent: bool = False,
        wait_s: float | None = None,
        of_proxy: bool = False,
    ) -> None:
        super().__init__(reason := mask_urls(reason))  # libraries repeat URLs, and redirects have keys of their own
        self.outcome, self.reason = outcome, reason
        self.again, self.host_silent, self.wait_s, self.of_proxy = again, host_silent, wait_s, of_proxy
        self.is_the_hosts = False  # a suspected host could not be connected to: it says nothing about the URL


class Fetcher:
    """Fetches URLs; shared by many threads. A context manager.

    Args:
        limits: how long it may take, and how large a photo may be.
        connections: number kept open per host.
        resolver: looks hosts up; `socket.getaddrinfo` unless a test says otherwise.
        breaker: knows which hosts are down; None: one of its own.
    """

    def __init__(
        self,
        limits: FetchLimits,
        *,
        connections: int = 8,
        resolver: Resolver = socket.getaddrinfo,
        breaker: HostBreaker | None = None,
    ) -> None:
        self.limits = limits
        self._cancelled = threading.Event()
        self._breaker = breaker or HostBreaker(self._cancelled)
        self._watch = DeadlineWatch()
        self._pools = GuardedPools(limits.addresses, self._watch, connections, resolver, limits.proxy)
        self._proxy_is_silent = False  # the last request that met no answer did not come farther than the proxy
        self._random = random.Random()  # jitter only: no result depends on it

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._watch.stop()
        self._pools.close()

    def cancel(self) -> None:
        """Make every running and later `fetch` raise `CancelledError` soon."""
        self._cancelled.set()
        self._watch.cut_all()

    def fetch(self, url: str, known: Validators | None = None) -> Fetched:
        """Fetch a cleaned URL.

        Args:
            url: what to fetch.
            known: validators of the photo that is here; the outcome is `not_modified` if it is still the same.

        Raises:
            CancelledError: `cancel` was called.
        """
        start, attempts, probes = time.monotonic(), 0, 0
        host = host_of(url)
        while True:
            if not self._breaker.admit(host):
                self._raise_if_cancelled()
                return Fetched(Outcome.HOST_DOWN, b"", attempts, time.monotonic() - start, self._silence_of(host))
            attempts += 1
            try:
                content, validators = self._attempt(url, host, known.headers() if known else {})
                return Fetched(Outcome.OK, content, attempts, time.monotonic() - start, validators=validators)
            except _AttemptError as error:
                self._raise_if_cancelled()
                probes += error.is_the_hosts
                wait_s = self._wait_before(attempts - probes, error)
                if wait_s is None:
                    return Fetched(error.outcome, b"", attempts, time.monotonic() - start, error.reason)
                self._cancelled.wait(wait_s)
            self._raise_if_cancelled()

    def look(self, url: str) -> bool | None:
        """Ask for the first bytes of a URL, once; return whether they are a photo's, None if that cannot be said.

        A photo of a kind that cannot be read here counts too: what is asked is what the URL is meant to lead to.

        Raises:
            CancelledError: `cancel` was called.
        """
        host = host_of(url)
        if not self._breaker.admit(host):
            return None
        try:
            content, _ = self._attempt(url, host, {}, enough=READ_BY_A_LOOK)
        except _AttemptError:
            self._raise_if_cancelled()
            return None
        return is_a_picture(content[:SNIFFED_BYTES])

    def _silence_of(self, host: str) -> str:
        proxy = self.limits.proxy
        if proxy is not None and self._proxy_is_silent:
            return f"The proxy {proxy.name} does not answer (METER_DOWNLOAD_PROXY)."
        return f"{host} does not answer."

    def _wait_before(self, attempts: int, error: _AttemptError) -> float | None:
        """Return the seconds before the next attempt, with full jitter (AWS Architecture Blog, 2015); None: give up.

        Args:
            attempts: number made so far, without probes of a host that may be down.
            error: what the last one ended with.
        """
        if not error.again or attempts >= self.limits.attempts:
            return None
        backoff = self._random.uniform(0, self.limits.backoff_s * 2 ** max(0, attempts - 1))
        if error.wait_s is None:
            return backoff
        return None if error.wait_s > self.limits.retry_after_cap_s else error.wait_s + backoff

    def _raise_if_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise CancelledError

    def _attempt(
        self, url: str, host: str, headers: dict[str, str], enough: int | None = None
    ) -> tuple[bytes, Validators]:
        """Make one attempt, redirects included; tell the breaker whether the first host answered.

        Args:
            url: what to fetch.
            host: its host.
            headers: what to send besides the usual.
            enough: bytes after which reading may end, whatever they are; None: the whole of a photo.
        """
        deadline = time.monotonic() + self.limits.total_s
        self._watch.begin(deadline)
        told = False
        cookies, asked = ChainCookies(), set[tuple[str, str]]()
        try:
            for _ in range(MAX_REDIRECTS + 1):
                cookie = cookies.header_of(url)
                if (url, cookie) in asked:
                    raise _AttemptError(
                        Outcome.BAD_REDIRECT, f"The redirects go round in a circle: {_shown(url)} leads back to itself."
                    )
                asked.add((url, cookie))
                response = self._request(url, deadline, headers | ({"Cookie": cookie} if cookie else {}))
                with _closed_after(response):
                    if not told:
                        told = True
                        self._breaker.succeeded(host)
                    target = response.headers.get("Location")
                    if response.status in REDIRECTS and target:
                        _drain(response)
                        cookies.take(url, response.headers.getlist("Set-Cookie"))
                        url = _redirected(url, target)
                        continue
                    if response.status == 304 and headers:
                        reason = "The server says that the photo is the same as before."
                        raise _AttemptError(Outcome.NOT_MODIFIED, reason)
                    content = self._body(response, url, deadline, enough)
                    if enough is not None and asks_to_sign_in(url, content):
                        raise _AttemptError(Outcome.FORBIDDEN, "It asks to sign in.")
                    return content, _validators(response)
            raise _AttemptError(
                Outcome.BAD_REDIRECT, f"More than {MAX_REDIRECTS} redirects, the last to {_shown(url)}."
            )
        except _AttemptError as error:
            if not told:
                told = True
                self._proxy_is_silent = error.of_proxy
                if error.host_silent:
                    # A broken connection or a timeout may be the URL's own fault: that is counted as an attempt.
                    error.is_the_hosts = self._breaker.failed(host) and error.outcome == Outcome.HOST_DOWN
                else:
                    self._breaker.succeeded(host)
            raise
        finally:
            self._watch.end()
            if not told:
                self._breaker.withdrawn(host)

    def _request(self, url: str, deadline: float, headers: dict[str, str]) -> BaseHTTPResponse:
        remaining = max(0.05, deadline - time.monotonic())
        connect_s, read_s = min(self.limits.connect_s, remaining), min(self.limits.read_s, remaining)
        try:
            return self._pools.ask(url, _HEADERS | headers, urllib3.Timeout(connect=connect_s, read=read_s))
        except BlockedAddressError as error:
            raise _AttemptError(Outcome.BLOCKED, str(error)) from error
        except (urllib3.exceptions.HTTPError, RequestException, OSError, ValueError) as error:
            raise self._no_answer(error, deadline, connect_s, read_s) from error

    def _no_answer(self, error: Exception, deadline: float, connect_s: float, read_s: float) -> _AttemptError:
        """Return what to say where a request was not answered.

        Args:
            error: what was raised.
            deadline: of the attempt, monotonic seconds.
            connect_s: how long a connection was waited for.
            read_s: how long an answer was waited for.
        """
        kinds = urllib3.exceptions
        unconnected = isinstance(error, kinds.MaxRetryError)
        why = error.reason if isinstance(error, kinds.MaxRetryError) else error
        if isinstance(why, kinds.ProxyError):
            return self._no_way_through_proxy(error)
        if isinstance(why, kinds.SSLError):
            return _AttemptError(Outcome.CONNECTION_ERROR, f"No secure connection: {_cause(error)}.")
        if unconnected and isinstance(why, kinds.ConnectTimeoutError) and not isinstance(why, kinds.NewConnectionError):
            reason = f"No connection within {connect_s:g} s."
            return _AttemptError(Outcome.HOST_DOWN, reason, again=True, host_silent=True)
        if not unconnected and isinstance(why, kinds.ReadTimeoutError):
            through = f" through the proxy {self.limits.proxy.name}" if self.limits.proxy else ""
            reason = f"No answer within {read_s:g} s{through}."
            return _AttemptError(Outcome.TIMEOUT, reason, again=True, host_silent=True)
        of_connection = isinstance(why, kinds.ProtocolError | kinds.ClosedPoolError | OSError)
        if unconnected or (of_connection and not isinstance(why, RequestException)):
            return self._no_connection(error, deadline)
        return _AttemptError(Outcome.BAD_URL, f"The URL cannot be asked for: {_cause(error)}.")

    def _no_connection(self, error: Exception, deadline: float) -> _AttemptError:
        if time.monotonic() >= deadline:
            reason = f"Not finished within {self.limits.total_s:g} s."
            return _AttemptError(Outcome.TIMEOUT, reason, again=True, host_silent=True)
        cause = _innermost(error)
        if isinstance(cause, urllib3.exceptions.NameResolutionError):
            silent = getattr(cause.__cause__, "errno", None) == socket.EAI_AGAIN
            reason = "The name server does not answer." if silent else "There is no host of that name."
            return _AttemptError(Outcome.HOST_DOWN, reason, again=True, host_silent=True)
        if isinstance(cause, urllib3.exceptions.NewConnectionError):
            return _AttemptError(Outcome.HOST_DOWN, f"No connection: {_cause(error)}.", again=True, host_silent=True)
        return _AttemptError(
            Outcome.CONNECTION_ERROR, f"The connection broke: {_cause(error)}.", again=True, host_silent=True
        )

    def _no_way_through_proxy(self, error: Exception) -> _AttemptError:
        """Return what to say where the proxy is down, or refuses to connect."""
        name = self.limits.proxy.name if self.limits.proxy else ""
        refused = _TUNNEL_REFUSED.search(str(error))
        if refused is None:
            cause = _innermost(error)
            why = "there is no host of that name"
            if isinstance(cause, ssl.SSLError):
                why = f"no secure connection to it ({_cause(error)})"
            elif not isinstance(cause, urllib3.exceptions.NameResolutionError):
                why = _cause(error)
            reason = f"The proxy {name} does not answer: {why} (METER_DOWNLOAD_PROXY)."
            return _AttemptError(Outcome.HOST_DOWN, reason, again=True, host_silent=True, of_proxy=True)
        status = int(refused[1])
        return _AttemptError(
            outcome_of_status(status) if status in (403, 407, 429) else Outcome.HOST_DOWN,
            _proxy_says(name, status),
            again=status in RETRIED_STATUSES,
            of_proxy=True,
        )

    def _error_of(self, response: BaseHTTPResponse, url: str) -> _AttemptError:
        """Return the error of an answer that is not 200, with what its body says."""
        status = response.status
        body = _beginning(response)
        again = status in RETRIED_STATUSES
        wait_s = retry_after(response.headers.get("Retry-After")) if again else None
        proxy = self.limits.proxy
        if proxy is not None and (status == 407 or "X-Squid-Error" in response.headers):
            reason = _proxy_says(proxy.name, status)
            return _AttemptError(outcome_of_status(status), reason, again=again, wait_s=wait_s, of_proxy=True)
        words = words_about_refusal(status, url, body)
        reason = f"The server answered {status_text(status)}{': ' + words if words else ''}."
        return _AttemptError(outcome_of_status(status), reason, again=again, wait_s=wait_s)

    def _body(self, response: BaseHTTPResponse, url: str, deadline: float, enough: int | None) -> bytes:
        """Return the bytes of a 200 answer, within the limits."""
        if response.status != 200:
            raise self._error_of(response, url)
        limit = self.limits.max_bytes
        declared = response.headers.get("Content-Length", "")
        if declared.isdecimal() and int(declared) > limit and enough is None:
            raise _AttemptError(
                Outcome.TOO_LARGE, f"The photo has {int(declared):,} bytes; at most {limit:,} are fetched."
            )
        content = bytearray()
        sniffed = False
        try:
            for chunk in response.stream(CHUNK_BYTES if enough is None else enough, decode_content=True):
                content += chunk
                if enough is not None and len(content) >= enough:
                    return bytes(content)
                if len(content) > limit:
                    raise _AttemptError(Outcome.TOO_LARGE, f"The photo has more than {limit:,} bytes.")
                if time.monotonic() >= deadline:
                    raise self._late()
                if not sniffed and len(content) >= SNIFFED_BYTES and enough is None:
                    sniffed = True
                    _refuse_foreign(content, url)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            if time.monotonic() >= deadline:
                raise self._late() from error
            raise _broken_body(error) from error
        if enough is not None:
            return bytes(content)
        if time.monotonic() >= deadline and not declared:
            raise self._late()  # an answer without a length looks finished when the watch cuts it off
        _refuse_foreign(content, url)
        return bytes(content)

    def _late(self) -> _AttemptError:
        return _AttemptError(Outcome.TIMEOUT, f"Not finished within {self.limits.total_s:g} s.", again=True)


@contextmanager
def _closed_after(response: BaseHTTPResponse) -> Iterator[None]:
    """Give the connection back after the block; one whose answer was not read to its end is closed."""
    try:
        yield
    finally:
        response.close()
        response.release_conn()


def _validators(response: BaseHTTPResponse) -> Validators:
    etag, last_modified = (response.headers.get(name) for name in ("ETag", "Last-Modified"))
    return Validators(*(value if value and len(value) <= MAX_VALIDATOR else None for value in (etag, last_modified)))


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds that a `Retry-After` header (a number or a date) asks for; None if it cannot be read."""
    text = (value or "").strip()
    if text.isdecimal():
        return float(text[:9])
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def _redirected(url: str, target: str) -> str:
    try:
        return redirected(url, target)
    except UrlRefusedError as error:
        shown = target.encode("latin-1", "replace").decode("utf-8", "replace")
        raise _AttemptError(Outcome.BAD_REDIRECT, f"Redirected to {_shown(shown)!r}: {error}.") from error


def _shown(url: str) -> str:
    """Return a URL for a message: without its query and without what else may be somebody's key, and not too long."""
    return mask_urls(url).partition("?")[0].partition("#")[0][:SHOWN_LENGTH]


def _proxy_says(name: str, status: int) -> str:
    advice = {
        403: "It does not let this address pass: ask who runs the proxy",
        407: "It asks for a user name and password: http://user:password@host:port",
    }.get(status, "It could not reach the server")
    return f"The proxy {name} answered {status_text(status)}. {advice} (METER_DOWNLOAD_PROXY)."


def _refuse_foreign(content: bytearray, url: str) -> None:
    head = bytes(content[:SNIFFED_BYTES])
    if sniff(head) is None:
        refusal = refusal_of_foreign(head)
        words = words_about_page(url, bytes(content[:READ_OF_AN_ERROR])) if refusal.outcome == "not_an_image" else None
        raise _AttemptError(refusal.outcome, words or refusal.reason)


def _beginning(response: BaseHTTPResponse) -> bytes:
    """Return the first bytes of an error's body; what comes of it when the server breaks off."""
    content = b""
    try:
        for chunk in response.stream(READ_OF_AN_ERROR, decode_content=True):
            content += chunk
            if len(content) >= READ_OF_AN_ERROR:
                break
        else:
            return content
    except (urllib3.exceptions.HTTPError, OSError):
        response.close()
        return content
    _drain(response)
    return content[:READ_OF_AN_ERROR]


def _drain(response: BaseHTTPResponse) -> None:
    """Read a short rest of an answer, so that its connection can be used again; a long one is not worth it."""
    declared = response.headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared) <= DRAINED_BYTES:
        try:
            response.read(DRAINED_BYTES, decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError):
            response.close()


def _broken_body(error: Exception) -> _AttemptError:
    cause = _innermost(error)
    if isinstance(cause, (urllib3.exceptions.ReadTimeoutError, TimeoutError)):
        return _AttemptError(Outcome.TIMEOUT, "The server stopped sending.", again=True)
    if isinstance(cause, urllib3.exceptions.IncompleteRead):
        return _AttemptError(Outcome.TRUNCATED, "The server sent fewer bytes than it announced.", again=True)
    return _AttemptError(Outcome.CONNECTION_ERROR, f"The connection broke: {_cause(error)}.", again=True)


def _innermost(error: BaseException) -> BaseException:
    """Return the urllib3 or system error inside the errors that it is wrapped in."""
    while True:
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((a for a in reversed(error.args) if isinstance(a, BaseException)), None)
        if not isinstance(inner, BaseException):
            return error
        if isinstance(error, (urllib3.exceptions.NameResolutionError, urllib3.exceptions.NewConnectionError)):
            return error
        error = inner


def _cause(error: BaseException) -> str:
    cause = _innermost(error)
    text = str(getattr(cause, "strerror", None) or cause).rsplit(": ", 1)[-1].strip(" .()'\"")
    text = _ERRNO.sub("", text)
    return text or type(cause).__name__
