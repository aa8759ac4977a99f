"""Which network addresses may be reached for a model: public ones of other machines.

Looked at after resolution; whoever connects, connects to the very address that was looked at.
"""

from __future__ import annotations

import ipaddress
import socket

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
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
    """Return the IPv4 addresses that an IPv6 address stands for, or else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    if address.sixtofour:
        return [address.sixtofour]
    if address.teredo:
        return list(address.teredo)
    number = int(address)
    if address in _NAT64 or number >> 32 == 0:  # the latter: IPv4-compatible, ::1 and ::
        return [ipaddress.IPv4Address(number & 0xFFFFFFFF)]
    return [address]
