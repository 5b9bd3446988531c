"""HTTP connections that look up a host once, check every address found, and connect to these addresses only.

Checking before connecting by name would leave a gap: the second look-up can give another answer (DNS rebinding). Here
the checked address is the one connected to; Host header, TLS server name and certificate check keep the host's name.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import BaseHTTPResponse, PoolManager, Retry, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from meter_pipeline.errors import MeterError
from meter_pipeline.ingest.web.addresses import AddressRules, BlockedAddressError
from meter_pipeline.ingest.web.look_ups import Resolver, looked_up
from meter_pipeline.ingest.web.proxies import Proxy, ProxyGuard

WATCH_INTERVAL_S = 0.1
_NEVER_AGAIN = Retry(0, read=False)
_SENT_AS_IT_IS = (
    r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/\-]|"
    r"%(?:[0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|[46]0|5[B-E]|7[BCDF]))*+"
)
"""Characters of a path or query that no client writes in another way, and what is encoded for a reason."""
_AS_IT_IS = re.compile(
    rf"(https?)://([a-z0-9](?:[a-z0-9\-]|\.(?!\.))*[a-z0-9])(?::([1-9][0-9]{{0,3}}|[1-5][0-9]{{4}}|6[0-4][0-9]{{3}}))?"
    rf"((?:/(?![^?]*/\.)(?!\.){_SENT_AS_IT_IS})?(?:\?(?!\Z){_SENT_AS_IT_IS})?)"
)


class DeadlineWatch:
    """Ends requests that are past their deadline, whatever they are waiting for.

    Socket timeouts start again with every byte, so a server that sends one byte per second is never timed out by them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[int, tuple[float, socket.socket | None]] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="download-deadlines", daemon=True)
        self._thread.start()

    def begin(self, deadline: float) -> None:
        """From now until `end`, shut this thread's socket down at `deadline` (monotonic seconds)."""
        with self._lock:
            self._running[threading.get_ident()] = (deadline, None)

    def uses(self, sock: Any) -> None:
        """Note that this thread's request goes over `sock`, a socket or None.

        The socket, not the connection: a connection drops it as soon as it knows that the answer is its last.
        """
        if not isinstance(sock, socket.socket):
            sock = getattr(sock, "socket", None)  # TLS inside the TLS of a proxy: the outer one is a socket
        with self._lock:
            if sock is not None and (entry := self._running.get(threading.get_ident())) is not None:
                self._running[threading.get_ident()] = (entry[0], sock)

    def end(self) -> None:
        """Note that this thread's request is over."""
        with self._lock:
            self._running.pop(threading.get_ident(), None)

    def cut_all(self) -> None:
        """End every request now."""
        with self._lock:
            self._running = {thread: (0.0, sock) for thread, (_, sock) in self._running.items()}

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(WATCH_INTERVAL_S):
            now = time.monotonic()
            with self._lock:  # so that no socket is handed to another request in between
                for deadline, sock in self._running.values():
                    if deadline < now and sock is not None:
                        _shut(sock)


class GuardedPools:
    """Connections by host, kept open for the next request, that reach only addresses that the rules allow.

    Certificates are checked against those of REQUESTS_CA_BUNDLE, or those that come with `requests`. No other setting
    of the environment counts: neither a proxy nor passwords from ~/.netrc.

    Args:
        rules: what may be reached.
        watch: is told which socket each thread uses.
        connections: number kept open per host, and of hosts.
        resolver: `socket.getaddrinfo`, or what a test puts in its place.
        proxy: what every request goes through; where it is is its owner's choice, and no rule applies to it.
    """

    def __init__(
        self,
        rules: AddressRules,
        watch: DeadlineWatch,
        connections: int,
        resolver: Resolver = socket.getaddrinfo,
        proxy: Proxy | None = None,
    ) -> None:
        certificates = Path(os.environ.get("REQUESTS_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH)
        self._certificates_missing = None if certificates.exists() else certificates
        kind = "ca_cert_dir" if certificates.is_dir() else "ca_certs"
        self._tls = {"cert_reqs": "CERT_REQUIRED", kind: str(certificates)}
        self._proxy_guard = None if proxy is None else ProxyGuard(rules, resolver)
        if proxy is None:
            self._pools = PoolManager(num_pools=connections, maxsize=connections)
            self._pools.pool_classes_by_scheme = _pool_classes(rules, watch, resolver)
        else:
            self._pools = HTTPAdapter(pool_connections=connections, pool_maxsize=connections).proxy_manager_for(
                proxy.url
            )
            self._pools.pool_classes_by_scheme = _pool_classes(None, watch, resolver)

    def ask(self, url: str, headers: Mapping[str, str], timeout: Timeout) -> BaseHTTPResponse:
        """Send a GET request and return the answer as soon as its head is there; no redirect is followed.

        Raises:
            BlockedAddressError: the host may not be reached.
            MeterError: there are no certificates to check the server's against.
            HTTPError: the request failed; `MaxRetryError` where no connection came about.
            RequestException: the URL cannot be asked for.
        """
        scheme, host, port, target = parts_of(url)
        if scheme == "https" and self._certificates_missing is not None:
            raise MeterError(
                "There are no certificates to check servers against.",
                where=self._certificates_missing,
                fix="Let REQUESTS_CA_BUNDLE name a file of certificates, or unset it.",
            )
        if self._proxy_guard is not None:
            self._proxy_guard.check(host)
            if scheme == "http":
                target = f"http://{urlsplit(url).netloc}{target}"
        pool = self._pools.connection_from_host(host, port, scheme, pool_kwargs=self._tls)
        return pool.urlopen(
            "GET",
            target,
            headers=headers,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            retries=_NEVER_AGAIN,
            timeout=timeout,
        )

    def close(self) -> None:
        """Close every connection."""
        self._pools.clear()


def parts_of(url: str) -> tuple[str, str, int | None, str]:
    """Return scheme, host, port and target (path and query) of a request for a URL.

    Most URLs are sent as they are. The others are written as `requests` writes them.

    Raises:
        RequestException: the URL cannot be asked for.
    """
    if (plain := _AS_IT_IS.fullmatch(url)) is not None:
        scheme, host, port, target = plain.groups()
        return scheme, host, int(port) if port else None, target if target[:1] == "/" else f"/{target}"
    prepared = requests.PreparedRequest()
    prepared.prepare_url(url, None)
    parts = urlsplit(prepared.url or "")
    return parts.scheme.lower(), parts.hostname or "", parts.port, prepared.path_url


def _pool_classes(
    rules: AddressRules | None, watch: DeadlineWatch, resolver: Resolver
) -> dict[str, type[HTTPConnectionPool]]:
    class Guarded:
        def _new_conn(self) -> socket.socket:
            sock = connect(self, rules, resolver)  # type: ignore[arg-type]
            watch.uses(sock)  # already now: a proxy's answer may drip
            return sock

        def connect(self) -> None:
            super().connect()  # type: ignore[misc]  # a TLS handshake as a whole ends with the socket's timeout
            watch.uses(self.sock)  # type: ignore[attr-defined]

        def putrequest(self, *args: Any, **kwargs: Any) -> None:
            watch.uses(self.sock)  # type: ignore[attr-defined]
            super().putrequest(*args, **kwargs)  # type: ignore[misc]

    class Plain(Guarded, HTTPConnection):
        pass

    class Secure(Guarded, HTTPSConnection):
        pass

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def connect(connection: HTTPConnection, rules: AddressRules | None, resolver: Resolver) -> socket.socket:
    """Return a socket connected to a checked address of the connection's host.

    Args:
        connection: what to connect.
        rules: what may be reached; None for the proxy of the settings, which is not judged.
        resolver: looks the host up.

    Raises:
        BlockedAddressError: any of the host's addresses may not be reached.
        NameResolutionError: the host has no address.
        ConnectTimeoutError: no address answered in time.
        NewConnectionError: no address could be connected to.
    """
    host, port = connection.host, connection.port
    name = getattr(connection, "_dns_host", host).strip("[]")
    timeout_s = connection.timeout if isinstance(connection.timeout, (int, float)) else None
    try:
        found = looked_up(resolver, name, port, timeout_s)
    except (socket.gaierror, UnicodeError) as error:
        problem = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
        raise NameResolutionError(host, connection, problem) from error
    for entry in found:
        address = ipaddress.ip_address(str(entry[4][0]).partition("%")[0])
        if rules is not None and not rules.allow(host, address):
            raise BlockedAddressError(
                f"{host} leads to {address}, which is not a public address.",
                where=host,
                fix="If this host is yours, name it in METER_ALLOW_HOSTS or its network in METER_ALLOW_NETWORKS.",
            )
    last: OSError | None = None
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            for option in connection.socket_options or ():
                sock.setsockopt(*option)
            if timeout_s is not None:
                sock.settimeout(timeout_s)
            sock.connect(address)
            return sock
        except OSError as error:
            sock.close()
            last = error
    if isinstance(last, TimeoutError):
        raise ConnectTimeoutError(connection, f"{host} did not answer") from last
    raise NewConnectionError(connection, f"{host} cannot be connected to: {last or 'no address'}") from last


def _shut(sock: socket.socket) -> None:
    try:
        # The plain socket's method: the TLS one also takes the TLS state away from the thread that reads.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        return  # closed by itself meanwhile
