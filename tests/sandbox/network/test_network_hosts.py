"""Hosts are compared in one form, however they are spelled; addresses are public or refused."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.network.addresses import is_own, is_public, may_reach
from sandbox.network.hosts import AllowList, as_address, canonical, parse_pattern, split_port
from sandbox.network.resolve import resolve


def allows(pattern: str, host: str, port: int = 443) -> bool:
    return AllowList([pattern]).allows(canonical(host), port)


@pytest.mark.parametrize(
    ("pattern", "host", "allowed"),
    [
        ("example.org", "example.org", True),
        ("example.org", "EXAMPLE.Org", True),
        ("Example.ORG.", "example.org", True),
        ("example.org", "example.org.", True),
        ("example.org", "www.example.org", False),
        ("example.org", "example.org.evil.net", False),
        ("example.org", "notexample.org", False),
        ("*.example.org", "www.example.org", True),
        ("*.example.org", "a.b.example.org.", True),
        ("*.example.org", "example.org", False),
        ("*.example.org", "evilexample.org", False),
        ("bücher.example", "xn--bcher-kva.example", True),
        ("xn--bcher-kva.example", "BÜCHER.example", True),
        ("example.org", "ｅxample。org", True),
        ("93.184.215.14", "0x5db8d70e", True),
        ("93.184.215.14", "::ffff:93.184.215.14", True),
        ("2606:2800::1", "[2606:2800:0:0::1]", True),
        ("93.184.215.14", "93.184.215.15", False),
    ],
)
def test_names_are_matched_in_one_form(pattern: str, host: str, allowed: bool) -> None:
    assert allows(pattern, host) is allowed


@pytest.mark.parametrize(
    ("pattern", "port", "allowed"),
    [
        ("example.org", 80, True),
        ("example.org", 443, True),
        ("example.org", 22, False),
        ("example.org:8080", 8080, True),
        ("example.org:8080", 443, False),
        ("*.org.example:22", 22, False),
    ],
)
def test_without_a_port_only_those_of_the_web_are_meant(
    pattern: str, port: int, allowed: bool
) -> None:
    assert allows(pattern, "example.org", port) is allowed


@pytest.mark.parametrize(
    "text",
    [
        *("", "*", "*.", "*.org", "*.1.2.3.4", "a b", "a/b", "http://a.b", "user@a.b", "a*.b.c"),
        *("a.b:0", "a.b:99999", "a:b:c", "a.b:٣", "-a.b", "a..b", "a.b.1", "1.2.3.4.5", "a%2eb"),
        *("[::1", "[::1]x", "fe80::1%eth0", "a" * 64 + ".b", "a\0.b", "a.b\r\nX: y"),
    ],
)
def test_what_is_no_pattern_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a host|would open all"):
        parse_pattern(text)


def spellings(number: int) -> list[str]:
    """Ways to write an IPv4 address that the C library, browsers or kernels understand."""
    a, b, c, d = number.to_bytes(4, "big")
    return [
        f"{a}.{b}.{c}.{d}",
        f"{a}.{b}.{c}.{d}.",
        str(number),
        hex(number),
        f"0X{number:X}",
        f"0{number:o}",
        f"{a}.{number & 0xFFFFFF}",
        f"{a}.{b}.{number & 0xFFFF}",
        f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}",
        f"0x{a:x}.{b}.0{c:o}.{d}",
        f"::ffff:{a}.{b}.{c}.{d}",
        f"[::FFFF:{number >> 16:x}:{number & 0xFFFF:x}]",
        f"[0:0:0:0:0:ffff:{a}.{b}.{c}.{d}]",
    ]


@given(st.integers(0, 2**32 - 1), st.data())
def test_every_spelling_of_an_address_is_that_address(number: int, data: st.DataObject) -> None:
    spelled = data.draw(st.sampled_from(spellings(number)))
    assert canonical(spelled) == str(ipaddress.IPv4Address(number))


@given(st.text(max_size=30) | st.text("0123456789abcdefx.:[]%-_*@/ \t\r\n", max_size=30))
def test_a_canonical_host_is_plain_or_nothing(text: str) -> None:
    try:
        host = canonical(text)
    except ValueError:
        return
    assert host == host.lower()
    assert host.isascii()
    assert not set(host) & set(" \r\n\t\0/@%*[]#?\\")
    assert canonical(host) == host
    last = host.rsplit(".", 1)[-1]
    assert as_address(host) is not None or not last.isdigit()


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("a.b", "a.b", None),
        ("a.b:80", "a.b", 80),
        ("[::1]:80", "[::1]", 80),
        ("[::1]", "[::1]", None),
        ("::1", "::1", None),
    ],
)
def test_a_port_is_told_from_an_address(text: str, host: str, port: int | None) -> None:
    assert split_port(text) == (host, port)


PRIVATE = [
    "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
    "100.64.0.0/10", "224.0.0.0/4", "240.0.0.0/4", "0.0.0.0/8", "198.18.0.0/15", "192.0.0.0/24",
]  # fmt: skip


@given(st.sampled_from(PRIVATE), st.integers(0, 2**32 - 1), st.data())
def test_a_private_address_stays_private_in_whatever_it_is_wrapped(
    network: str, bits: int, data: st.DataObject
) -> None:
    net = ipaddress.IPv4Network(network)
    number = int(net.network_address) | bits & int(net.hostmask)
    high, low = number >> 16, number & 0xFFFF
    wrapped = data.draw(
        st.sampled_from([
            str(ipaddress.IPv4Address(number)),
            f"::ffff:{high:x}:{low:x}",
            f"64:ff9b::{high:x}:{low:x}",
            f"2002:{high:x}:{low:x}::1",
            f"::{high:x}:{low:x}",
        ])
    )  # fmt: skip
    assert not is_public(wrapped)


@pytest.mark.parametrize("address", ["::1", "::", "fe80::1", "fd00:ec2::254", "ff02::1"])
def test_private_ipv6_addresses(address: str) -> None:
    assert not is_public(address)


def test_this_machines_own_addresses_are_not_reached_even_when_public() -> None:
    assert is_own("127.0.0.1")
    assert not is_own("93.184.215.14")
    assert may_reach("93.184.215.14")
    assert not may_reach("127.0.0.1")


async def test_names_are_looked_up() -> None:
    assert "127.0.0.1" in await resolve("127.0.0.1", 80)
    with pytest.raises(socket.gaierror):
        await resolve("no-such-host.invalid", 80)
