from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.errors import MeterError
from meter_pipeline.ingest.web.addresses import AddressRules, is_public

NOT_PUBLIC = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.9.1", "169.254.169.254", "172.16.0.1",
    "192.0.0.1", "192.0.2.1", "192.168.1.1", "192.88.99.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001::1", "2001:db8::1", "fc00::1", "fd00:ec2::254", "fe80::1",
    "fec0::1", "ff02::1", "2a00:1450::5efe:a00:1",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "100.128.0.1",
    "2a00:1450:4001::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::",
]


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_inner_addresses_are_not_public_in_whatever_form(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_outer_addresses_are_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_one_is_judged_alike(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    mapped = ipaddress.IPv6Address((0xFFFF << 32) | number)
    nat64 = ipaddress.IPv6Address((0x64FF9B << 96) | number)
    six_to_four = ipaddress.IPv6Address((0x2002 << 112) | (number << 80) | 1)
    assert is_public(mapped) == is_public(nat64) == is_public(six_to_four) == is_public(address)


def test_the_allow_lists_open_what_they_name_and_no_more() -> None:
    rules = AddressRules.of(["Photos.Intranet"], ["10.20.0.0/16"])
    ip = ipaddress.ip_address
    assert rules.allow("photos.intranet", ip("192.168.3.4"))
    assert rules.allow("other", ip("10.20.3.4"))
    assert rules.allow("other", ip("::ffff:10.20.3.4"))
    assert not rules.allow("other", ip("192.168.3.4"))
    assert not rules.allow("other", ip("10.21.3.4"))


@pytest.mark.parametrize(
    "text", ["169.254.169.254", "fd00:ec2::254", "0.0.0.0", "fe80::1", "224.0.0.1", "100.100.100.200"]
)
def test_a_host_on_the_allow_list_still_does_not_open_metadata_services(text: str) -> None:
    assert not AddressRules.of(["photos.intranet"], []).allow("photos.intranet", ipaddress.ip_address(text))


def test_a_network_that_is_none_is_named() -> None:
    with pytest.raises(MeterError, match=r"10\.0\.0/33.*METER_ALLOW_NETWORKS"):
        AddressRules.of([], ["10.0.0/33"])
