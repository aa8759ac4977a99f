"""The network of one sandbox: none, or some hosts through a proxy of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.network.allowed_hosts import AllowedHosts
from sandbox.network.folder import PROXY_FOLDER
from sandbox.network.hosts import AllowList
from sandbox.network.log import NetworkLog
from sandbox.network.resolve import ResolvePolicy
from sandbox.protocol import Mount, OnNetworkUse, SandboxSpec, SandboxUnavailable

if TYPE_CHECKING:
    from sandbox.network.proxy import AllowListProxy


class SandboxNetwork:
    """A sandbox's network: its backend opens it before the start and closes it after the end."""

    def __init__(self, log: NetworkLog, proxy: AllowListProxy | None) -> None:
        self.log = log
        self._proxy = proxy

    @classmethod
    async def open(cls, spec: SandboxSpec, policy: ResolvePolicy) -> SandboxNetwork:
        """Open what the spec allows. Raises `SandboxUnavailable`."""
        log = NetworkLog()
        if not spec.allow_net:
            return cls(log, None)
        from sandbox.network.proxy import AllowListProxy  # slow to import, not always needed

        try:
            private = AllowList(spec.allow_net_private)
            allowed = AllowedHosts(AllowList(spec.allow_net), policy, private)
            return cls(log, await AllowListProxy.open(allowed, log))
        except ValueError as error:
            raise SandboxUnavailable(f"--allow-net: {error}") from None
        except OSError as error:
            raise SandboxUnavailable(f"The network's proxy cannot be opened: {error}.") from None

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """What the sandbox must mount, read-only, to reach the proxy."""
        return () if self._proxy is None else (Mount(self._proxy.folder, PROXY_FOLDER),)

    def watch(self, watcher: OnNetworkUse | None) -> None:
        """Report every request from now on, and those not reported yet."""
        self.log.watch(watcher)

    async def close(self) -> None:
        """End every connection. May be called twice."""
        if self._proxy is not None:
            await self._proxy.close()
