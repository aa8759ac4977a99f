"""Which network addresses the web tools may reach: public ones, after resolution."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host name and port → addresses. Raises `OSError`."""
Allowed = Callable[[str], bool]
"""Whether an address may be connected to."""

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


async def resolve(host: str, port: int) -> list[str]:
    """Look a host up as the system does: also 2130706433 and 0177.0.0.1 become an address."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


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
