"""A proxy, where a network has no other way out: which one it is, and what it may be asked for.

A proxy connects for us, so the address that it connects to cannot be checked here. What can be is checked before it is
asked: an address that stands in the URL, a name that this machine knows, and names that only an inner network has.
A proxy that resolves an outer name to an inner address is its own administrator's to forbid.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from meter_pipeline.ingest.web.addresses import Address, AddressRules, BlockedAddressError
from meter_pipeline.ingest.web.look_ups import Resolver, looked_up

LOOK_UP_S = 3.0
"""Seconds that this machine may take to look a host up; behind a proxy it often cannot."""
_INNER_NAMES = frozenset(
    ["localhost", "localdomain", "local", "internal", "intranet", "lan", "home", "corp", "private", "arpa"]
)
"""Last labels of names that no public name server has (RFC 6761, RFC 6762, and what ICANN keeps free)."""
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)


@dataclass(frozen=True)
class Proxy:
    """The proxy of the setting `METER_DOWNLOAD_PROXY`.

    Attributes:
        url: as `requests` takes it, with user name and password; in no message and no log.
    """

    url: str = field(repr=False)

    @classmethod
    def of(cls, text: str) -> Proxy:
        """Take a proxy from the setting, which has checked it."""
        parts = urlsplit(text if "://" in text else f"http://{text}")
        return cls(f"{parts.scheme}://{parts.netloc}")

    @property
    def name(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to connect to."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


class ProxyGuard:
    """Judges hosts before the proxy is asked for them; remembers what it found, so that each is looked up once.

    Args:
        rules: what may be reached.
        resolver: looks hosts up.
    """

    def __init__(self, rules: AddressRules, resolver: Resolver = socket.getaddrinfo) -> None:
        self._rules, self._resolver = rules, resolver
        self._refusals: dict[str, str | None] = {}
        self._lock = threading.Lock()

    def check(self, host: str) -> None:
        """Let a host pass, or not.

        Raises:
            BlockedAddressError: the host may not be reached.
        """
        host = host.lower().strip("[]")
        with self._lock:
            known = host in self._refusals
            refusal = self._refusals.get(host)
        if not known:
            refusal = self._judged(host)
            with self._lock:
                self._refusals[host] = refusal
        if refusal is not None:
            raise BlockedAddressError(
                refusal,
                where=host,
                fix="If this host is yours, name it in METER_ALLOW_HOSTS or its network in METER_ALLOW_NETWORKS.",
            )

    def _judged(self, host: str) -> str | None:
        """Return why the host may not be asked for; None if it may."""
        labels = host.rstrip(".").split(".")
        literal = _address(host)
        if literal is None and (_NUMBER.fullmatch(labels[-1]) or ":" in host):
            return f"{host} is an address in a form that programs read in different ways."
        addresses = [literal] if literal is not None else self._looked_up(host)
        for address in addresses:
            if not self._rules.allow(host, address):
                return f"{host} leads to {address}, which is not a public address."
        inner = literal is None and (len(labels) < 2 or labels[-1] in _INNER_NAMES)
        if inner and not addresses and host.rstrip(".") not in self._rules.hosts:
            return f"{host} is a name of an inner network."
        return None

    def _looked_up(self, host: str) -> list[Address]:
        """Return the host's addresses, as this machine sees them; none where it does not know the name."""
        try:
            found = looked_up(self._resolver, host, None, LOOK_UP_S)
        except (OSError, UnicodeError):
            return []
        return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
