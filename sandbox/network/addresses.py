"""Which network addresses may be reached for a model: public ones of other machines.

Checked after resolution; connections go to the exact address that was checked.
"""

from __future__ import annotations

import ipaddress
import socket

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_CARRIERS = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "::/96",  # IPv4-compatible; ::1 and :: too
            "::ffff:0:0/96",  # IPv4-mapped
            "::ffff:0:0:0/96",  # IPv4-translated (SIIT, RFC 2765)
            "64:ff9b::/96",  # NAT64
        ),
    )
)
"""Networks of IPv6 whose addresses are one of IPv4 in their last 32 bits."""
_ISATAP = (0x00005EFE, 0x02005EFE)
"""What stands before an address of IPv4 at the end of any address of IPv6 (RFC 5214, 6.1)."""
_SHARED = ipaddress.ip_network("100.64.0.0/10")
_METADATA = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "100.100.100.200/32",  # Alibaba
            "fd00:ec2::/32",  # Amazon
            "fd20:ce::254/128",  # Google
        ),
    )
)
"""Networks that count as private, and are a cloud's metadata or this machine."""
_REFUSED = tuple(
    map(
        ipaddress.ip_network,
        (
            "168.63.129.16/32",  # Azure's platform services, metadata among them
            "192.0.0.0/24",  # IETF protocols; Oracle's metadata lies here
            "192.88.99.0/24",  # 6to4 relays
            "64:ff9b:1::/48",  # local NAT64
            "2001::/23",  # IETF protocols
            "3fff::/20",  # documentation
            "5f00::/16",  # segment routing
            "fec0::/10",  # site-local
        ),
    )
)
"""Special ranges that not every Python version counts as such, and one that only a cloud does."""


def may_reach(address: str) -> bool:
    """Tell whether an address is public and not one of this machine's own."""
    return is_public(address) and not is_own(address)


def may_reach_private(address: str) -> bool:
    """Tell whether an address is public or of a private network: none of this machine, of its
    link, of a cloud's metadata, multicast or reserved.
    """
    return (is_public(address) or _is_private(address)) and not is_own(address)


def _is_private(address: str) -> bool:
    one = ipaddress.ip_address(address)
    special = one.is_loopback or one.is_link_local or one.is_unspecified or one.is_multicast
    if special or one.is_reserved or any(one in net for net in (*_REFUSED, *_METADATA)):
        return False
    return _unwrapped(one) == [one] and (one.is_private or one in _SHARED)


def is_own(address: str) -> bool:
    """Tell whether an address belongs to this machine: only such a one can be bound to."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def is_public(address: str) -> bool:
    """Tell whether an address belongs to the public internet, whatever it is wrapped in.

    Private, loopback, link-local (cloud metadata), shared, multicast and reserved ranges do not.
    """
    return all(
        one.is_global and not one.is_multicast and not any(one in net for net in _REFUSED)
        for one in _unwrapped(ipaddress.ip_address(address))
    )


def _unwrapped(address: _Address) -> list[_Address]:
    """Return the addresses that one carries: an IPv6 address may carry IPv4 ones."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if any(address in network for network in _CARRIERS):
        return [last]
    carried: list[_Address] = []
    if address.sixtofour:
        carried.append(address.sixtofour)
    elif address.teredo:
        carried += address.teredo
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        carried.append(last)
        carried += () if address.sixtofour or address.teredo else (address,)
    return carried or [address]
