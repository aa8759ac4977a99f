"""Host names and addresses as people, commands and attackers spell them, and who is allowed.

An address has many spellings (2130706433, 0x7f.1, ::ffff:127.0.0.1) and a name has case, a final
dot and letters of every script: all are brought to one form before anything is compared.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.network.named_networks import expand_networks

WEB_PORTS = frozenset({80, 443})
"""Of a pattern that names no port."""
MAX_NAME = 253
"""Characters of a host name (RFC 1035, without the final dot)."""

_SHOWN = 20
"""Patterns of a list that are named."""
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class HostPattern:
    """One entry of an allow list."""

    name: str
    """In canonical form; of `*.example.org` only `example.org`."""
    subdomains: bool
    """The pattern matches every name below `name`, but not `name` itself."""
    ports: frozenset[int]

    def matches(self, host: str, port: int) -> bool:
        """Tell whether a host in canonical form is meant."""
        if port not in self.ports:
            return False
        return host.endswith("." + self.name) if self.subdomains else host == self.name


class AllowList:
    """The hosts that may be reached."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """`patterns` may hold names of networks, too, such as `@pypi`.

        Raises `ValueError` with a sentence for the user.
        """
        self.patterns = tuple(patterns)
        self._parsed = [parse_pattern(one) for one in expand_networks(self.patterns)]

    def __str__(self) -> str:
        more = len(self.patterns) - _SHOWN
        shown = ", ".join(self.patterns[:_SHOWN])
        return f"{shown} and {more} more" if more > 0 else shown

    def allows(self, host: str, port: int) -> bool:
        """Tell whether a host in canonical form may be reached."""
        return any(pattern.matches(host, port) for pattern in self._parsed)


NO_HOSTS = AllowList(())


def parse_pattern(text: str) -> HostPattern:
    """Read `example.org`, `*.example.org`, `example.org:8080` or a public address.

    Raises `ValueError` with a sentence for the user.
    """
    try:
        host, port = split_port(text.strip())
        subdomains = host.startswith("*.")
        name = canonical(host.removeprefix("*."))
    except ValueError as error:
        raise ValueError(
            f"{text!r} is not a host ({error}): give names such as a.example.org, *.example.org or "
            "example.org:8080."
        ) from None
    address = as_address(name)
    if address is not None and subdomains:
        raise ValueError(f"{text!r} is not a host: an address has no names below it.")
    if subdomains and "." not in name:
        raise ValueError(f"{text!r} would open all of .{name}: name the hosts themselves.")
    ports = WEB_PORTS if port is None else frozenset({port})
    return HostPattern(name, subdomains, ports)


def split_port(text: str) -> tuple[str, int | None]:
    """Split `host`, `host:port`, `[v6]`, `[v6]:port` or a bare v6 address. Raises `ValueError`."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError("a bracket is not closed")
        return f"[{host}]", _port(rest[1:]) if rest else None
    if text.count(":") > 1:
        return text, None
    host, colon, port = text.partition(":")
    return host, _port(port) if colon else None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536):
        raise ValueError(f"{text!r} is not a port")
    return int(text)


def canonical(host: str) -> str:
    """Return the one form of a host: a lower-case ASCII name without final dot, or an address.

    Raises `ValueError` for what is neither.
    """
    if host.startswith("[") or ":" in host:
        return _canonical_v6(host.removeprefix("[").removesuffix("]"))
    name = _ascii(host).lower().removesuffix(".")
    if not name or len(name) > MAX_NAME:
        raise ValueError("it is empty" if not name else "it is too long")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):  # no top-level domain is a number: it is an address
        return _canonical_v4(name)
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("a name is made of letters, digits, dots and hyphens")
    return name


def as_address(host: str) -> str | None:
    """Return a host in canonical form if it is an address."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def _ascii(host: str) -> str:
    if host.isascii():
        return host
    import idna

    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError:
        raise ValueError("a letter in it may not stand in a name") from None


def _canonical_v4(text: str) -> str:
    """Read every spelling that the C library reads (inet_aton(3)): octal, hex, fewer parts."""
    parts = text.split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        raise ValueError("it is not an address")
    try:
        return socket.inet_ntoa(socket.inet_aton(text))
    except OSError:
        raise ValueError("it is not an address") from None


def _canonical_v6(text: str) -> str:
    if "%" in text:
        raise ValueError("an address with a zone is one of this machine's own network")
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise ValueError("it is not an address") from None
    return str(address.ipv4_mapped or address)
