"""Networks by name, and the private hosts of the user's own file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.network.addresses import may_reach_private
from sandbox.network.allowed_hosts import AllowedHosts, RequestRefused
from sandbox.network.hosts import AllowList, parse_pattern
from sandbox.network.named_networks import NETWORKS, expand_networks, find_network, versions_of
from sandbox.network.resolve import ResolvePolicy
from sii_cli.assembly import make_spec
from sii_cli.config.load import load_settings
from sii_cli.config.settings import Settings
from sii_cli.doctor.networks import named_networks
from sii_cli.errors import UsageError
from sii_cli.queries.queries import Query
from sii_cli.queries.requirements import requirements_of


@dataclass(frozen=True, slots=True)
class Names:
    """A name server with a few names."""

    addresses: Mapping[str, str]

    async def __call__(self, host: str, port: int) -> list[str]:
        if host in self.addresses:
            return [self.addresses[host]]
        raise OSError("no such name")


@pytest.mark.parametrize("name", NETWORKS)
def test_every_list_is_of_hosts_and_has_a_version(name: str) -> None:
    network = NETWORKS[name]
    assert network.hosts
    assert all(parse_pattern(host) for host in network.hosts)
    assert len(network.version) == len("2026-11-30")


def test_a_name_opens_the_hosts_of_its_list_and_no_other() -> None:
    hosts = AllowList(["@pypi", "a.test:8443"])
    assert hosts.allows("files.pythonhosted.org", 443)
    assert hosts.allows("a.test", 8443)
    assert not hosts.allows("registry.npmjs.org", 443)
    assert list(expand_networks(["@npm", "a.test"])) == ["registry.npmjs.org", "a.test"]
    version = find_network("@pypi").version
    assert versions_of(["@pypi", "a.test", "@pypi"]) == [f"@pypi {version}"]


def test_a_name_that_is_not_known_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="there are @pypi, @npm, @huggingface, @github"):
        AllowList(["@pipy"])


def load(home: Path, flags: dict[str, str], **env: str) -> Settings:
    workspace = home.parent / "workspace"
    workspace.mkdir(exist_ok=True)
    variables = {"SII_HOME": str(home), **env}
    return load_settings({"workspace": str(workspace), **flags}, variables)


def test_the_users_own_file_alone_names_private_hosts(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text('allow_net_private = ["mirror.lab.example"]\n')
    with pytest.raises(UsageError, match="allow_net_private cannot be set"):
        load(home, {}, SII_ALLOW_NET_PRIVATE="mirror.lab.example")
    closed = make_spec(load(home, {}))
    assert (closed.allow_net, closed.allow_net_private) == ((), ())
    opened = make_spec(load(home, {"allow_net": "@pypi,mirror.lab.example"}))
    assert opened.allow_net == ("@pypi", "mirror.lab.example")
    assert opened.allow_net_private == ("mirror.lab.example",)


def test_a_network_that_is_not_known_is_refused_where_it_is_set(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"networks by name \(@pypi, @npm, @huggingface, @github"):
        load(tmp_path / "home", {"allow_net": "@pipy"})


@pytest.mark.parametrize(
    ("own", "wanted", "missing"),
    [
        ((), "@pypi", ["@pypi"]),
        (("@pypi",), "@pypi", []),
        (("@pypi",), "pypi.org", []),
        (("pypi.org", "files.pythonhosted.org"), "@pypi", []),
        (("pypi.org",), "@pypi", ["@pypi"]),
        (("@github",), "*.githubusercontent.com", []),
        (("raw.githubusercontent.com",), "@github", ["@github"]),
    ],
)
def test_a_query_requires_what_the_users_own_list_does_not_open(
    own: tuple[str, ...], wanted: str, missing: list[str]
) -> None:
    query = Query(id="q", query="x", allow_net=(wanted,))
    found = requirements_of(query, None, Settings(allow_net=own))
    assert [one.value for one in found] == missing


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("93.184.215.14", True),
        ("10.1.2.3", True),
        ("192.168.77.3", True),
        ("100.64.0.9", True),
        ("fd12:3456::1", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("0.0.0.0", False),
        ("169.254.169.254", False),
        ("fe80::1", False),
        ("100.100.100.200", False),
        ("fd00:ec2::254", False),
        ("168.63.129.16", False),
        ("192.0.0.192", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("::ffff:10.1.2.3", False),
        ("64:ff9b::a01:203", False),
    ],
)
def test_a_private_host_is_never_this_machine_or_a_clouds_metadata(address: str, may: bool) -> None:
    assert may_reach_private(address) is may


async def test_a_private_address_is_reached_for_the_hosts_that_were_named_alone() -> None:
    async def accepts(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(accepts, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    names = Names({"mirror.test": "127.0.0.1", "other.test": "127.0.0.1"})
    policy = ResolvePolicy(names, lambda _: False, lambda address: address == "127.0.0.1")
    hosts = AllowList([f"mirror.test:{port}", f"other.test:{port}"])
    allowed = AllowedHosts(hosts, policy, AllowList([f"mirror.test:{port}"]))
    async with server:
        connection, address = await allowed.connect("mirror.test", port)
        connection.close()
        assert address == "127.0.0.1"
        with pytest.raises(RequestRefused, match="not of the public internet"):
            await allowed.connect("other.test", port)


async def test_doctor_says_which_networks_can_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    async def reached(allowed: AllowedHosts, host: str, port: int) -> tuple[object, str]:
        if host == "registry.npmjs.org":
            raise RequestRefused(502, "unreachable", "It is not there.")
        file, _ = os.pipe()
        return os.fdopen(file), ""

    monkeypatch.setattr(AllowedHosts, "connect", reached)
    settings = Settings(allow_net=("@pypi", "a.test", "@npm"))
    ok, bad = [check async for check in named_networks(settings)]
    version = find_network("@pypi").version
    assert ok.status == "ok"
    assert ok.found == f"pypi.org, files.pythonhosted.org can be reached (list of {version})"
    assert (bad.name, bad.status, bad.found) == ("@npm", "warn", "It is not there.")
    assert "allow_net_private" in bad.remedy
