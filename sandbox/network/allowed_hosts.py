"""Decides which hosts may be reached, and connects to the exact address that was checked."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

from sandbox.network.hosts import NO_HOSTS, AllowList, as_address
from sandbox.network.machine import NO_NETWORK, is_of_this_machine, resolves_names
from sandbox.network.resolve import PUBLIC_WEB, ResolvePolicy

RESOLVE_TIMEOUT = 10.0
CONNECT_TIMEOUT = 10.0
"""Seconds for each of a host's addresses."""


NO_NETWORK_REASON = "no_network"
"""Reason of a failure because this machine has no network."""


class RequestRefused(Exception):
    """Raised when a request is refused or fails: HTTP status, reason by name, a sentence."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """The hosts that a sandbox may reach."""

    hosts: AllowList
    policy: ResolvePolicy = PUBLIC_WEB
    private: AllowList = NO_HOSTS
    """Those that may have an address of a private network, such as a mirror of the user's own."""

    def check(self, host: str, port: int) -> None:
        """Raise `RequestRefused` unless the host, in canonical form, is on the list."""
        if not self.hosts.allows(host, port):
            raise RequestRefused(
                403,
                "not_allowed",
                f"The host {host} at port {port} is not allowed from this sandbox; allowed: "
                f"{self.hosts}. Do without it, or ask the user to start sii with --allow-net {host}"
                f"{'' if port in (80, 443) else f':{port}'}.",
            )

    async def connect(self, host: str, port: int) -> tuple[socket.socket, str]:
        """Connect to a host; return the socket and its address. Raises `RequestRefused`."""
        addresses = await self._addresses(host, port)
        failure: OSError | None = None
        for address in addresses:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    return await _connect(address, port), address
            except OSError as error:  # TimeoutError, too
                failure = error
        if failure is not None and is_of_this_machine(failure):
            raise _no_network(host)
        words = (failure and failure.strerror) or "no answer in time"
        raise RequestRefused(
            502, "unreachable", f"{host} cannot be reached at port {port}: {words}."
        )

    async def _addresses(self, host: str, port: int) -> list[str]:
        literal = as_address(host)
        try:
            async with asyncio.timeout(RESOLVE_TIMEOUT):
                found = [literal] if literal else await self.policy.resolve(host, port)
        except (OSError, UnicodeError) as error:  # TimeoutError, too
            if not await resolves_names(self.policy.resolve, RESOLVE_TIMEOUT):
                raise _no_network(host) from None
            if isinstance(error, TimeoutError):
                words = f"The name {host} was not resolved in time."
                raise RequestRefused(504, "timeout", words) from None
            raise RequestRefused(502, "unknown_host", f"The host {host} does not exist.") from None
        # One address that is not public is reason enough: no host mixes them by accident.
        is_private = self.private.allows(host, port)
        may_reach = self.policy.may_reach_private if is_private else self.policy.may_reach
        wrong = [address for address in found if not may_reach(address)]
        if wrong or not found:
            address = ", ".join(wrong) or "no address"
            raise RequestRefused(
                403,
                "not_public",
                f"The host {host} is {address}, which is not of the public internet: private, "
                "local and metadata addresses are never reached from this sandbox.",
            )
        return found


def _no_network(host: str) -> RequestRefused:
    return RequestRefused(503, NO_NETWORK_REASON, f"{host} cannot be reached. {NO_NETWORK}")


async def _connect(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connection, (address, port))
    except BaseException:
        connection.close()
        raise
    return connection
