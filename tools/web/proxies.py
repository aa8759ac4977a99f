"""Which proxy of the environment is used for a host: none for private and excepted ones.

The variables are those of curl: `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in lower
or upper case. An entry of `no_proxy` is `*`, a host (its subdomains with it), an address or a
network (`10.0.0.0/8`), each with or without a port.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from sandbox.network.addresses import may_reach
from sandbox.network.resolve import Allowed, Resolve, resolve

_LOCAL_ENDINGS = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
"""Names that no public name server knows."""


class BadProxy(Exception):
    """Raised when a variable names a proxy that cannot be used; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and the variable that names it."""

    url: str
    variable: str

    @property
    def shown(self) -> str:
        """The variable and its value, without user and password."""
        return f"{self.variable}={_without_user(self.url)}"


async def find_proxy(
    scheme: str,
    host: str,
    port: int,
    *,
    resolve: Resolve = resolve,
    is_public: Allowed = may_reach,
    environ: Mapping[str, str] = os.environ,
) -> Proxy | None:
    """Return the proxy for a host, or `None` when it is reached directly. Raises `BadProxy`."""
    proxy = _named(scheme, environ)
    if proxy is None or _is_local(host):
        return None
    addresses = await _addresses(host, port, resolve)
    if not all(map(is_public, addresses)):
        return None
    excepted = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if any(_covers(entry, host, port, addresses) for entry in excepted.replace(",", " ").split()):
        return None
    _check(proxy, host)
    return proxy


def _named(scheme: str, environ: Mapping[str, str]) -> Proxy | None:
    for name in (f"{scheme}_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            if value := environ.get(variable, "").strip():
                return Proxy(value, variable)
    return None


def _is_local(host: str) -> bool:
    """Return whether a name can only be one of this machine's own network."""
    name = host.lower().rstrip(".")
    return name.endswith(_LOCAL_ENDINGS) or ("." not in name and ":" not in name)


async def _addresses(host: str, port: int, resolve: Resolve) -> Sequence[str]:
    """Return a host's addresses; nothing when only the proxy may know them."""
    with suppress(ValueError):
        return [str(ipaddress.ip_address(host.strip("[]")))]
    try:
        return await resolve(host, port)
    except (OSError, UnicodeError):
        return ()


def _covers(entry: str, host: str, port: int, addresses: Sequence[str]) -> bool:
    """Return whether an entry of `no_proxy` is about a host."""
    if entry == "*":
        return True
    entry, only = _split_port(entry.lower())
    if only is not None and only != str(port):
        return False
    with suppress(ValueError):
        network = ipaddress.ip_network(entry.strip("[]"), strict=False)
        return any(ipaddress.ip_address(address) in network for address in addresses)
    name, wanted = host.lower().rstrip("."), entry.lstrip("*").strip(".")
    return bool(wanted) and (name == wanted or name.endswith(f".{wanted}"))


def _split_port(entry: str) -> tuple[str, str | None]:
    """Part `host:8000` and `[::1]:8000`; an address of IPv6 without brackets has no port."""
    head, colon, port = entry.rpartition(":")
    if colon and port.isdigit() and (":" not in head or head.endswith("]")):
        return head, port
    return entry, None


def _check(proxy: Proxy, host: str) -> None:
    if "://" not in proxy.url:
        remedy = f"write http://{_without_user(proxy.url)}"
        raise BadProxy(f"The proxy in {proxy.shown} has no scheme: {remedy}.")
    parts = _split(proxy.url)
    if parts is not None and parts.scheme.startswith("socks"):
        raise BadProxy(
            f"{proxy.shown} is a SOCKS proxy, which is not supported: "
            f"name an http:// proxy there, or add {host} to NO_PROXY."
        )
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadProxy(f"{proxy.shown} is not a URL of a proxy: write http://HOST:PORT.")


def _split(url: str) -> SplitResult | None:
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.port != 0:  # reading it raises `ValueError` for what is not a port
            return parts
    return None


def _without_user(url: str) -> str:
    scheme, mark, rest = url.rpartition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{mark}{authority.rpartition('@')[2]}{slash}{path}"
