"""Which network addresses downloads may reach: public ones, and what the allow-lists name.

A spreadsheet's URL must not make this machine ask the services inside its own network. The rule is applied to the
address that is really connected to, in `connections`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field

from meter_pipeline.errors import MeterError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_TEREDO = ipaddress.IPv6Network("2001::/32")
_IPV4_RELAY = ipaddress.IPv4Network("192.88.99.0/24")
_ISATAP_MARKS = (0x00005EFE, 0x02005EFE)
"""Upper half of an interface identifier whose lower half is an IPv4 address (RFC 5214)."""
_LINK_LOCAL = (ipaddress.IPv4Network("169.254.0.0/16"), ipaddress.IPv6Network("fe80::/10"))
"""Where cloud machines keep their metadata services; a host name on the allow-list does not open them."""
_CLOUD_METADATA = (ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200"))


class BlockedAddressError(MeterError):
    """A host leads to an address that downloads may not reach."""


@dataclass(frozen=True)
class AddressRules:
    """What downloads may reach besides public addresses.

    Attributes:
        hosts: host names (lower case) that may lead to private addresses.
        networks: networks that may be reached by any name.
    """

    hosts: frozenset[str] = field(default_factory=frozenset)
    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, allow_hosts: Iterable[str], allow_networks: Iterable[str]) -> AddressRules:
        """Take the rules from the settings.

        Raises:
            MeterError: an entry of `allow_networks` is not a network.
        """
        networks = []
        for text in allow_networks:
            try:
                networks.append(ipaddress.ip_network(text, strict=False))
            except ValueError as error:
                raise MeterError(
                    f"{text!r} is not a network.",
                    where="METER_ALLOW_NETWORKS",
                    fix="Write an address or a range such as 10.20.0.0/16; separate several by commas.",
                ) from error
        return cls(frozenset(host.lower().strip("[].") for host in allow_hosts), tuple(networks))

    def allow(self, host: str, address: Address) -> bool:
        """Return whether `address`, which `host` leads to, may be connected to."""
        real = _embedded_ipv4(address) or address
        if any(a in network for a in (address, real) for network in self.networks if a.version == network.version):
            return True
        if is_public(address):
            return True
        return host.lower().strip("[].") in self.hosts and _is_private(real)


def is_public(address: Address) -> bool:
    """Return whether an address belongs to the public internet.

    An IPv6 address that carries an IPv4 one (mapped, NAT64, 6to4, ISATAP) is judged by what it carries.
    """
    carried = _embedded_ipv4(address)
    if carried is not None:
        return is_public(carried)
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not (address.is_multicast or address.is_reserved or address in _IPV4_RELAY)
    return address in _GLOBAL_UNICAST and address not in _TEREDO and address.is_global and not address.is_multicast


def _embedded_ipv4(address: Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for, or None."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    number = int(address)
    if address in _NAT64 or (number >> 32) & 0xFFFFFFFF in _ISATAP_MARKS:
        return ipaddress.IPv4Address(number & 0xFFFFFFFF)
    return None


def _is_private(address: Address) -> bool:
    """Return whether an address is of a network or machine of somebody; link-local, multicast and reserved are not."""
    if address in _CLOUD_METADATA or any(address in n for n in _LINK_LOCAL if n.version == address.version):
        return False
    if address.is_multicast or address.is_unspecified:
        return False
    shared = isinstance(address, ipaddress.IPv4Address) and address in ipaddress.IPv4Network("100.64.0.0/10")
    return address.is_loopback or (address.is_private and not address.is_reserved) or shared
