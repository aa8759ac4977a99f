"""What a query requires beyond the user's settings, and what is lowered to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from sandbox.docker.sii_images import SII_IMAGES
from sandbox.network.hosts import WEB_PORTS, AllowList, parse_pattern
from sandbox.network.named_networks import expand_networks
from sii_cli.config.settings import Settings
from sii_cli.queries.queries import GitWorkspace, Query
from sii_cli.queries.workspaces.repositories import is_remote
from sii_cli.queries.workspaces.workspace_sources import (
    WorkspaceSource,
    without_user,
)
from sii_cli.trust.requirements import Requirement


def requirements_of(
    query: Query, source: WorkspaceSource | None, own: Settings
) -> Iterator[Requirement]:
    """Yield what a query requires beyond the user's own settings.

    `source` is where its workspace lies.
    """
    for host in query.allow_net:
        if not _reaches(own, host):
            yield Requirement("net", canonical_host(host))
    # By their short names sii's own images, which only the user builds.
    if query.image not in (None, own.image, *SII_IMAGES):
        yield Requirement("image", str(query.image))
    for name in query.data:
        if name not in own.data:
            yield Requirement("data", name)
    for name, value in query.env.items():
        if f"{name}={value}" not in own.env:
            yield Requirement("env", name)
    if source is not None and not source.inside:
        yield Requirement("paths", str(source.path))
    if isinstance(query.workspace, GitWorkspace) and is_remote(query.workspace.git):
        yield Requirement("git", without_user(query.workspace.git))


def requirements_of_all(
    queries: Iterable[Query], sources: Iterable[WorkspaceSource | None], own: Settings
) -> Counter[Requirement]:
    """Return what queries require, and how many of them require each.

    `sources` are where their workspaces lie, in the same order.
    """
    return Counter(
        one
        for query, source in zip(queries, sources, strict=True)
        for one in requirements_of(query, source, own)
    )


def lowered(queries: Iterable[Query], own: Settings) -> Iterator[str]:
    """Yield a sentence for each limit or tool of queries that is lowered to the user's own."""
    for name, limit in (("steps", own.max_steps), ("output", own.output_size)):
        above = [one.id for one in queries if (getattr(one.limits, name) or 0) > limit]
        if above:
            yield f"limits.{name} is lowered to your own {limit} in {_some(above)}."
    wider = [one.id for one in queries if set(one.tools) - set(own.tools)]
    if wider:
        yield f"tools that you have not given are left out in {_some(wider)}."


def canonical_host(text: str) -> str:
    """Return a host in its canonical form, so that no letter looks like another."""
    try:
        pattern = parse_pattern(text)
    except ValueError:
        return text  # reported as a mistake of the file
    name = f"*.{pattern.name}" if pattern.subdomains else pattern.name
    ports = "" if pattern.ports == WEB_PORTS else f":{min(pattern.ports)}"
    return (f"[{name}]" if ":" in name and ports else name) + ports


def _reaches(own: Settings, text: str) -> bool:
    """Tell whether the user's own list opens all that a host of a file stands for."""
    try:
        hosts, mine = (
            set(map(canonical_host, expand_networks(own.allow_net))),
            AllowList(own.allow_net),
        )
        patterns = [(one, parse_pattern(one)) for one in expand_networks((text,))]
    except ValueError:
        return False
    return all(
        canonical_host(one) in hosts
        if pattern.subdomains
        else all(mine.allows(pattern.name, port) for port in pattern.ports)
        for one, pattern in patterns
    )


def _some(ids: list[str]) -> str:
    more = len(ids) - 3
    shown = ", ".join(ids[:3])
    return f"{shown} and {more} more" if more > 0 else shown
