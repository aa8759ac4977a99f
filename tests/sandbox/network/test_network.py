"""What commands reach of the network: the hosts that were allowed, through the proxy, no more."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sandbox.bubblewrap.backend import BubblewrapBackend
from sandbox.client.calls import RunnerCalls
from sandbox.docker.backend import DockerBackend
from sandbox.network.resolve import ResolvePolicy
from sandbox.protocol import NetworkUse, Sandbox, SandboxBackend, SandboxSpec
from tests.fakes.fake_site import Answer, FakeSite, fake_site
from tests.sandbox.conftest import IMAGE, Start

PRIVATE = "10.1.2.3"


async def to_loopback(host: str, _port: int) -> list[str]:
    """Every name is this machine, but `private.test`."""
    return [PRIVATE] if host == "private.test" else ["127.0.0.1"]


REACH = ResolvePolicy(to_loopback, lambda address: address == "127.0.0.1")


def on_this_machine(backend: SandboxBackend) -> SandboxBackend:
    """A backend alike, with every name on this machine."""
    return DockerBackend(REACH) if backend.name == "docker" else BubblewrapBackend(REACH)


@pytest.fixture
def backend(backend: SandboxBackend) -> SandboxBackend:
    return on_this_machine(backend)


@pytest.fixture
def site() -> Iterator[FakeSite]:
    with fake_site() as site:
        site.pages["/"] = Answer(b"hello from the site\n", "text/plain")
        yield site


@pytest.fixture
def uses() -> list[NetworkUse]:
    return []


@pytest.fixture
async def sandbox(start: Start, site: FakeSite, uses: list[NetworkUse]) -> Sandbox:
    """A sandbox that may reach `site.test`, `*.many.test` and `private.test` at the site's port."""
    hosts = tuple(f"{host}:{site.port}" for host in ("site.test", "*.many.test", "private.test"))
    sandbox = await start(allow_net=hosts)
    sandbox.watch_network(uses.append)
    return sandbox


async def run(sandbox: Sandbox, command: str) -> str:
    result = await sandbox.bash(command, timeout=60)
    return result.output.decode("utf-8", "replace")


async def told(uses: list[NetworkUse], count: int = 1) -> list[NetworkUse]:
    """Wait until so many requests were told: a client may read its answer a little earlier."""
    async with asyncio.timeout(30):
        while len(uses) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return uses


async def test_an_allowed_host_is_reached_and_told(
    sandbox: Sandbox, site: FakeSite, uses: list[NetworkUse]
) -> None:
    assert await run(sandbox, f"curl -sS http://site.test:{site.port}/") == "hello from the site\n"
    (use,) = await told(uses)
    assert (use.method, use.host, use.port) == ("GET", "site.test", site.port)
    assert (use.allowed, use.reason, use.status, use.received) == (True, "", 200, 20)
    assert use.address == "127.0.0.1"
    assert site.requests == [(f"site.test:{site.port}", "/")]
    assert sandbox.info.network[0] == f"site.test:{site.port}"


async def test_a_tunnel_to_an_allowed_host(
    sandbox: Sandbox, site: FakeSite, uses: list[NetworkUse]
) -> None:
    command = f"curl -sS -p -x $HTTP_PROXY http://a.many.test:{site.port}/"
    assert await run(sandbox, command) == "hello from the site\n"
    (use,) = await told(uses)
    assert (use.method, use.host, use.allowed) == ("CONNECT", "a.many.test", True)
    assert use.received > 20
    assert use.sent > 20


@pytest.mark.parametrize(
    "url",
    [
        "http://other.test/",
        "http://site.test/",  # at a port that was not named
        "http://127.0.0.1.many.test.evil/",
        "http://[::ffff:127.0.0.1]/",
        "http://2130706433:{port}/",
        "http://0x7f.1:{port}/",
    ],
)
async def test_what_is_not_allowed_is_refused_in_words(
    sandbox: Sandbox, site: FakeSite, uses: list[NetworkUse], url: str
) -> None:
    text = await run(sandbox, f"curl -sS --noproxy '' '{url.format(port=site.port)}'")
    assert "is not allowed from this sandbox; allowed: site.test" in text
    assert [(use.allowed, use.reason, use.status) for use in await told(uses)] == [
        (False, "not_allowed", 403)
    ]
    assert not site.requests


async def test_a_refused_tunnel_says_why_in_its_status_line(
    sandbox: Sandbox, uses: list[NetworkUse]
) -> None:
    text = await run(sandbox, "curl -sSv https://other.test/ 2>&1")
    assert "The host other.test at port 443 is not allowed" in text
    assert "403" in text
    assert [(use.method, use.reason) for use in await told(uses)] == [("CONNECT", "not_allowed")]


async def test_an_allowed_name_with_a_private_address_is_refused(
    sandbox: Sandbox, site: FakeSite, uses: list[NetworkUse]
) -> None:
    text = await run(sandbox, f"curl -sS http://private.test:{site.port}/")
    assert "is not of the public internet" in text
    assert [(use.allowed, use.reason, use.address) for use in await told(uses)] == [
        (True, "not_public", None)
    ]


async def test_nothing_is_reached_past_the_proxy(sandbox: Sandbox, site: FakeSite) -> None:
    own = socket.gethostbyname(socket.gethostname())
    tries = f"""
        export HTTP_PROXY= HTTPS_PROXY= http_proxy= https_proxy=
        for host in 127.0.0.1 {own} 172.17.0.1 169.254.169.254 host.docker.internal site.test; do
          curl -sS --max-time 5 http://$host:{site.port}/ && echo REACHED $host
        done
        cat /proc/net/dev | tail -n +3 | cut -d: -f1 | grep -v lo && echo INTERFACE
    """
    text = await run(sandbox, tries)
    assert "REACHED" not in text
    assert "INTERFACE" not in text
    assert not site.requests


SPEAK = """
import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect("/run/sii-network/proxy")
connection.sendall(f"GET http://{sys.argv[1]}/ HTTP/1.1\\r\\nHost: a.b\\r\\n\\r\\n".encode())
print(connection.makefile("rb").read().decode())
"""


@pytest.mark.parametrize("owner", [0, 54321])
async def test_the_socket_itself_opens_no_more_and_cannot_be_replaced(
    start: Start, site: FakeSite, workspace: Path, owner: int
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give the workspace to another user")
    os.chown(workspace, owner, owner)
    sandbox = await start(allow_net=(f"site.test:{site.port}",))
    speak = f"python3 - HOST:{site.port} <<'END'\n{SPEAK}\nEND"
    assert "hello from" in await run(sandbox, speak.replace("HOST", "site.test"))
    assert "403" in await run(sandbox, speak.replace("HOST", "other.test"))
    change = "cd /run/sii-network; rm proxy; mv proxy p; touch x; chmod 777 . proxy"
    text = await run(sandbox, f"{change}; test -S proxy; echo $?")
    assert text.endswith("\n0\n")


async def test_the_forwarder_cannot_be_ended_by_commands(sandbox: Sandbox, site: FakeSite) -> None:
    await run(sandbox, "kill -9 -1; pkill -9 -f runner; true")
    curl = f"curl -sS --retry 20 --retry-delay 1 --retry-connrefused http://site.test:{site.port}/"
    assert "hello from the site" in await run(sandbox, curl)


async def test_after_everything_inside_was_ended_the_network_is_there_again(
    sandbox: Sandbox, site: FakeSite
) -> None:
    await sandbox.kill_all()
    assert "hello from" in await run(sandbox, f"curl -sS http://site.test:{site.port}/")


async def test_fifty_requests_at_once(
    sandbox: Sandbox, site: FakeSite, uses: list[NetworkUse]
) -> None:
    site.pages["/slow"] = Answer(b"x", "text/plain", silence=0.2)
    command = f"""
        for n in $(seq 50); do curl -sS http://n$n.many.test:{site.port}/slow & done; wait
    """
    assert await run(sandbox, command) == "x" * 50
    assert len(await told(uses, 50)) == 50
    assert len({use.host for use in uses}) == 50


async def test_requests_of_set_up_commands_are_told_when_somebody_watches(
    start: Start, site: FakeSite, uses: list[NetworkUse]
) -> None:
    port = site.port
    sandbox = await start(
        allow_net=(f"site.test:{port}",), setup=(f"curl -sS http://site.test:{port}/",)
    )
    sandbox.watch_network(uses.append)
    assert [use.host for use in await told(uses)] == ["site.test"]


async def test_without_allowed_hosts_there_is_no_proxy(start: Start) -> None:
    sandbox = await start()
    text = await run(sandbox, "env | grep -i proxy; ls /run/sii-network; curl -sS http://a.test/")
    assert "http://" not in text.replace("http://a.test", "")
    assert "Could not resolve host" in text


async def test_a_sandbox_knows_itself_and_has_no_way_out(start: Start) -> None:
    sandbox = await start()
    said = await sandbox.python(
        "import socket\n"
        "here = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(('localhost', here.getsockname()[1])).close()\n"
        "print(sorted(name for _, name in socket.if_nameindex()))"
    )
    assert said.output == b"['lo']\n"


async def test_a_request_that_is_under_way_ends_with_the_sandbox(
    sandbox: Sandbox, site: FakeSite, uses: list[NetworkUse]
) -> None:
    site.pages["/never"] = Answer(b"x", "text/plain", silence=5)
    await sandbox.start_job(f"curl -sS http://site.test:{site.port}/never")
    while not site.requests:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await sandbox.close()
    assert [use.reason for use in await told(uses)] == ["closed"]


async def test_a_command_is_told_what_was_refused_to_it_once_and_to_no_other(
    sandbox: Sandbox,
) -> None:
    command = "for n in 1 2; do curl -sS https://other.test/; done"
    for result in (await sandbox.bash(command), await sandbox.bash(f"({command}) 2>/dev/null")):
        (sentence,) = result.refused
        assert sentence.startswith("The host other.test at port 443 is not allowed")
        assert "allowed: site.test:" in sentence
    assert (await sandbox.bash("true")).refused == ()


FLOOD = """
import socket, time
held = []
for address in ["/run/sii-network/proxy"] * 1000 + [("127.0.0.1", 3128)] * 1000:
    one = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    one.setblocking(False)
    try:
        one.connect(address)
    except OSError:
        pass
    held.append(one)
print(len(held))
time.sleep(600)
"""


async def test_a_flood_of_connections_is_left_with_the_kernel(
    start: Start, site: FakeSite, sandbox: Sandbox, workspace: Path
) -> None:
    other = await start(allow_net=(f"site.test:{site.port}",))
    (workspace / "flood.py").write_text(FLOOD)
    before = len(os.listdir("/proc/self/fd"))
    job = await sandbox.start_job("python3 -u flood.py")
    async with asyncio.timeout(60):
        while not (await sandbox.read_job(job.job_id)).data:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert len(os.listdir("/proc/self/fd")) - before < 200
    curl = f"curl -sS http://site.test:{site.port}/"
    assert await run(other, curl) == "hello from the site\n"
    await sandbox.stop_job(job.job_id)
    assert await run(sandbox, f"{curl} --max-time 50 --retry 5") == "hello from the site\n"


async def test_a_forwarder_with_many_connections_copies_all(
    sandbox: Sandbox, site: FakeSite, uses: list[NetworkUse]
) -> None:
    site.pages["/big"] = Answer(b"y" * 300_000, "text/plain")
    command = f"""
        for n in $(seq 20); do
          curl -sS -p -x $HTTP_PROXY http://site.test:{site.port}/big | wc -c &
          curl -sS http://site.test:{site.port}/big | wc -c &
        done; wait
    """
    assert await run(sandbox, command) == "300000\n" * 40
    assert len(await told(uses, 40)) == 40


async def test_a_sandbox_that_died_leaves_no_socket(
    backend: SandboxBackend, workspace: Path
) -> None:
    before = sockets()
    spec = SandboxSpec(workspace, IMAGE, allow_net=("site.test",))
    first = await backend.start(spec)
    assert isinstance(first, RunnerCalls)
    first._stream.end("it died")
    await first.close()
    second = await backend.start(spec)
    assert len(sockets() - before) == 1
    await second.close()
    assert not sockets() - before


async def test_cancelling_a_start_leaves_no_socket(
    backend: SandboxBackend, workspace: Path
) -> None:
    before = sockets()
    for delay in (0.0, 0.005, 0.02, 0.1, 0.3):
        spec = SandboxSpec(workspace, IMAGE, allow_net=("site.test",))
        starting = asyncio.create_task(backend.start(spec))
        await asyncio.sleep(delay)
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await (await starting).close()
    assert not sockets() - before


def sockets() -> set[str]:
    """The proxies' folders that this process holds open."""
    links = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
    paths = (os.readlink(link) for link in links if os.path.lexists(link))
    return {path for path in paths if "sii-run-network-" in os.path.basename(path)}
