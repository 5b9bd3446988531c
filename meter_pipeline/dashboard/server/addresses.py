"""Hosts and origins as browsers write them, and which of them are this machine's."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(frozen=True)
class Address:
    """A host as browsers write it: lower case, no brackets, no trailing dot; and its port, None if it is not given."""

    host: str
    port: int | None

    @classmethod
    def read(cls, text: str) -> Address | None:
        """Read `host[:port]`; None if it is not that and nothing else."""
        try:
            parts = urlsplit(f"//{text}")
            host, port = parts.hostname, parts.port
        except ValueError:
            return None
        if not host or parts.netloc != text or "@" in text or not text.isascii() or not text.isprintable():
            return None
        return cls(host.rstrip("."), port)

    @classmethod
    def of_origin(cls, origin: str) -> Address | None:
        """Read `scheme://host[:port]`, with the usual port if it is left out; None if it is not an origin."""
        scheme, _, rest = origin.partition("://")
        address, usual = cls.read(rest), _PORTS.get(scheme.lower())
        if address is None or usual is None:
            return None
        return cls(address.host, usual if address.port is None else address.port)


def origin_of(url: str) -> str:
    """Return the origin of a public address, which may have a path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def path_of(url: str) -> str:
    """Return the path of a public address, such as `/dagster`; empty if it has none."""
    return urlsplit(url).path.rstrip("/")


def is_every_address(listens_on: str) -> bool:
    """Return whether this stands for all addresses of the machine, such as 0.0.0.0."""
    try:
        return ipaddress.ip_address(listens_on).is_unspecified
    except ValueError:
        return False


def names_of_this_machine() -> set[str]:
    """Return the names under which the machine is known in its network."""
    name = socket.gethostname().lower().rstrip(".")
    short = name.partition(".")[0]
    return {name, short, f"{short}.local"} - {"", ".local"}


def is_number_of_this_machine(host: str) -> bool:
    """Return whether a host is an IP address of this machine, which nobody can let point elsewhere as with a name."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address in _addresses_of_this_machine()


def _addresses_of_this_machine() -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Return the addresses of the network cards at this moment: they change while the server runs."""
    found = set()
    for cards in psutil.net_if_addrs().values():
        for card in cards:
            if card.family in (socket.AF_INET, socket.AF_INET6):
                found.add(ipaddress.ip_address(card.address.partition("%")[0]))
    return found
