"""Reads what a client asks a proxy for: `CONNECT host:port`, or `GET http://host/path`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.network.allowed_hosts import RequestRefused
from sandbox.network.hosts import canonical, split_port

_ABSOLUTE = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#]*)([^#]*)", re.IGNORECASE)
CLEAR_PORT = 80
"""Here no tunnel is needed, and none is opened: what is asked for in the clear is looked at."""


@dataclass(frozen=True, slots=True)
class RequestTarget:
    """Where a request goes."""

    host: str
    """In canonical form."""
    port: int
    path: str = ""
    """What to ask the host for; empty for a tunnel."""

    @property
    def host_header(self) -> str:
        """What the host must read as `Host`, whatever the client wrote."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == CLEAR_PORT else f"{host}:{self.port}"


def read_target(method: str, target: str) -> RequestTarget:
    """Return the target of a request. Raises `RequestRefused` for what a proxy cannot be asked."""
    try:
        if method == "CONNECT":
            host, port = split_port(target)
            if port is None:
                raise ValueError("a tunnel needs a port")
            if port == CLEAR_PORT:
                raise ValueError("at port 80 ask for http:// without a tunnel")
            return RequestTarget(canonical(host), port)
        return _absolute(target)
    except ValueError as error:
        shown = target[:100].encode("ascii", "replace").decode()
        raise RequestRefused(
            400, "bad_request", f"The proxy cannot read {shown}: {error}."
        ) from None


def _absolute(target: str) -> RequestTarget:
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise ValueError("a proxy is asked for whole URLs, such as http://example.org/")
    scheme, authority, path = match.groups()
    if scheme.lower() != "http":
        raise ValueError("only http is asked for in the clear; for https use CONNECT")
    if "@" in authority:
        raise ValueError("a user or password goes into a header, not into the URL")
    host, port = split_port(authority)
    if not path.startswith("/"):
        path = "/" + path
    return RequestTarget(canonical(host), port or CLEAR_PORT, path)
