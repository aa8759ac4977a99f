"""A machine without a network is told from a host that is not there, also by a sandbox's proxy."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from sandbox.docker.backend import DockerBackend
from sandbox.network.log import NetworkLog
from sandbox.network.resolve import ResolvePolicy
from sandbox.protocol import SandboxSpec
from tests.sandbox.proxied import Host, Names, get, proxied


class Failing(Names):
    """A name server that does not know some names."""

    def __init__(self, *unknown: str) -> None:
        super().__init__()
        self.unknown = unknown

    async def __call__(self, host: str, port: int) -> list[str]:
        if host in self.unknown:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return await super().__call__(host, port)


@pytest.mark.parametrize(
    ("unknown", "status", "reason"),
    [(("a.test",), b"502", "unknown_host"), (("a.test", "example.com"), b"503", "no_network")],
)
async def test_a_name_that_is_unknown_where_others_are_not_is_the_hosts(
    unknown: tuple[str, ...], status: bytes, reason: str
) -> None:
    async with proxied(Host(), Failing(*unknown)) as client:
        answer = await client.say(get())
        assert answer.split(b" ")[1] == status
        assert (await client.use()).reason == reason
    assert (b"no working network" in answer) is (reason == "no_network")


@pytest.mark.parametrize(
    ("number", "reason"), [(errno.ENETUNREACH, "no_network"), (errno.ECONNREFUSED, "unreachable")]
)
async def test_a_machine_without_a_route_is_not_a_host_that_refuses(
    monkeypatch: pytest.MonkeyPatch, number: int, reason: str
) -> None:
    async def fails(address: str, port: int) -> socket.socket:
        raise OSError(number, "why")

    monkeypatch.setattr("sandbox.network.allowed_hosts._connect", fails)
    async with proxied(Host()) as client:
        await client.say(get())
        assert (await client.use()).reason == reason


def test_what_failed_for_want_of_a_network_is_counted_apart() -> None:
    log = NetworkLog()
    log.refuse("The host a.test is not allowed.")
    log.fail("a.test cannot be reached.")
    assert (log.refused, log.outages) == (2, 1)
    assert log.refused_since(1) == ("a.test cannot be reached.",)


@pytest.mark.docker
async def test_a_command_in_a_sandbox_that_met_no_network_says_so(tmp_path: Path) -> None:
    async def knows_nothing(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    backend = DockerBackend(ResolvePolicy(knows_nothing, lambda address: True))
    sandbox = await backend.start(SandboxSpec(tmp_path, allow_net=("site.test",)))
    try:
        done = await sandbox.bash("curl -sS http://site.test/ || true")
        quiet = await sandbox.bash("true")
    finally:
        await sandbox.close()
    assert (done.outage, quiet.outage) == (True, False)
    assert "This machine has no working network now" in done.refused[0]
