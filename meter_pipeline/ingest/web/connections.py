"""HTTP connections that look up a host once, check every address found, and connect to these addresses only.

Checking before connecting by name would leave a gap: the second look-up can give another answer (DNS rebinding). Here
the checked address is the one connected to; Host header, TLS server name and certificate check keep the host's name.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from meter_pipeline.ingest.web.addresses import AddressRules, BlockedAddressError

Resolver = Callable[..., list[tuple[Any, ...]]]
WATCH_INTERVAL_S = 0.1


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

    def uses(self, sock: socket.socket | None) -> None:
        """Note that this thread's request goes over `sock`.

        The socket, not the connection: a connection drops it as soon as it knows that the answer is its last.
        """
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


class GuardedAdapter(HTTPAdapter):
    """A `requests` adapter whose connections reach only addresses that the rules allow.

    Args:
        rules: what may be reached.
        watch: is told which socket each thread uses.
        connections: number kept open per host.
        resolver: `socket.getaddrinfo`, or what a test puts in its place.
    """

    def __init__(
        self, rules: AddressRules, watch: DeadlineWatch, connections: int, resolver: Resolver = socket.getaddrinfo
    ) -> None:
        self._pool_classes = _pool_classes(rules, watch, resolver)
        super().__init__(pool_connections=connections, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **_: Any) -> None:
        """Make the pools of guarded connections."""
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes

    def proxy_manager_for(self, proxy: str, **_: Any) -> Any:
        """Refuse proxies: the address a proxy connects to cannot be checked from here."""
        raise BlockedAddressError("Downloads do not go through a proxy.", where=proxy)


def _pool_classes(rules: AddressRules, watch: DeadlineWatch, resolver: Resolver) -> dict[str, type[HTTPConnectionPool]]:
    class Guarded:
        def _new_conn(self) -> socket.socket:
            return connect(self, rules, resolver)  # type: ignore[arg-type]

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


def connect(connection: HTTPConnection, rules: AddressRules, resolver: Resolver) -> socket.socket:
    """Return a socket connected to a checked address of the connection's host.

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
        found = _looked_up(resolver, name, port, timeout_s)
    except (socket.gaierror, UnicodeError) as error:
        problem = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
        raise NameResolutionError(host, connection, problem) from error
    for entry in found:
        address = ipaddress.ip_address(str(entry[4][0]).partition("%")[0])
        if not rules.allow(host, address):
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


def _looked_up(resolver: Resolver, name: str, port: int | None, timeout_s: float | None) -> list[tuple[Any, ...]]:
    """Look a host up in a thread of its own: the system's call has no timeout, and may take a minute.

    Raises:
        OSError: as the resolver; `socket.gaierror` where it takes too long.
    """
    answer: queue.SimpleQueue[list[tuple[Any, ...]] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(resolver(name, port, type=socket.SOCK_STREAM))
        except Exception as error:  # raised again in the thread that waits
            answer.put(error)

    threading.Thread(target=ask, name="name-look-up", daemon=True).start()
    try:
        found = answer.get(timeout=timeout_s)
    except queue.Empty as error:
        raise socket.gaierror(socket.EAI_AGAIN, f"no answer from the name server within {timeout_s:g} s") from error
    if isinstance(found, Exception):
        raise found
    return found


def _shut(sock: socket.socket) -> None:
    try:
        # The plain socket's method: the TLS one also takes the TLS state away from the thread that reads.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        return  # closed by itself meanwhile
