"""Whether the hosts of a named network can be reached, as a sandbox's proxy reaches them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from sandbox.network.allowed_hosts import AllowedHosts, RequestRefused
from sandbox.network.hosts import AllowList, parse_pattern
from sandbox.network.named_networks import MARK, find_network
from sandbox.network.resolve import PUBLIC_WEB, ResolvePolicy
from sii_cli.config.settings import Settings
from sii_cli.doctor.server_checks import DoctorCheck

_PORT = 443


async def named_networks(
    settings: Settings, policy: ResolvePolicy = PUBLIC_WEB
) -> AsyncIterator[DoctorCheck]:
    """Yield a check of each network that the settings name."""
    private = AllowList(settings.allow_net_private)
    for name in dict.fromkeys(one for one in settings.allow_net if one.startswith(MARK)):
        yield await _network(name, AllowedHosts(AllowList([name]), policy, private))


async def _network(name: str, allowed: AllowedHosts) -> DoctorCheck:
    network = find_network(name)
    hosts = [host for host in network.hosts if not parse_pattern(host).subdomains]
    failures = [one for one in await asyncio.gather(*(_failure(allowed, h) for h in hosts)) if one]
    if failures:
        remedy = "a mirror of your own in a private network: add its host to allow_net_private"
        return DoctorCheck(name, "warn", " ".join(failures), remedy)
    found = f"{', '.join(hosts)} can be reached (list of {network.version})"
    return DoctorCheck(name, "ok", found)


async def _failure(allowed: AllowedHosts, host: str) -> str:
    """Return why a host cannot be reached, or an empty text."""
    try:
        connection, _ = await allowed.connect(host, _PORT)
    except RequestRefused as refused:
        return str(refused)
    connection.close()
    return ""
