"""What a query asks for that only the user may allow, and what is lowered to the user's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from sandbox.network.hosts import WEB_PORTS, AllowList, parse_pattern
from sii_cli.batch.places import Homes, Place, places_of, without_user
from sii_cli.batch.repositories import is_remote
from sii_cli.config.settings import Settings
from sii_cli.queries.queries import GitWorkspace, Query
from sii_cli.trust.asks import Ask


def asks_of(query: Query, place: Place | None, own: Settings) -> Iterator[Ask]:
    """Yield what a query asks for and the user's own settings do not give.

    `place` is where its workspace lies.
    """
    for host in query.allow_net:
        if not _reaches(own, host):
            yield Ask("net", canonical_host(host))
    if query.image not in (None, own.image):
        yield Ask("image", str(query.image))
    for name, value in query.env.items():
        if f"{name}={value}" not in own.env:
            yield Ask("env", name)
    if place is not None and not place.inside:
        yield Ask("paths", str(place.path))
    if isinstance(query.workspace, GitWorkspace) and is_remote(query.workspace.git):
        yield Ask("git", without_user(query.workspace.git))


def asks_of_all(queries: Iterable[Query], base: Path, own: Settings, homes: Homes) -> Counter[Ask]:
    """Return what queries ask for, and how many of them ask for each."""
    return Counter(
        ask
        for query, place in zip(queries, places_of(queries, base, homes), strict=True)
        for ask in asks_of(query, place, own)
    )


def lowered(queries: Iterable[Query], own: Settings) -> Iterator[str]:
    """Say what queries want more of than the user allows: they get the user's own."""
    for name, limit in (("steps", own.max_steps), ("output", own.output_size)):
        above = [one.id for one in queries if (getattr(one.limits, name) or 0) > limit]
        if above:
            yield f"limits.{name} is lowered to your own {limit} in {_some(above)}."
    wider = [one.id for one in queries if set(one.tools) - set(own.tools)]
    if wider:
        yield f"tools that you have not given are left out in {_some(wider)}."


def canonical_host(text: str) -> str:
    """Return a host in its one form, so that no letter looks like another."""
    try:
        pattern = parse_pattern(text)
    except ValueError:
        return text  # told as a mistake of the file
    name = f"*.{pattern.name}" if pattern.subdomains else pattern.name
    ports = "" if pattern.ports == WEB_PORTS else f":{min(pattern.ports)}"
    return (f"[{name}]" if ":" in name and ports else name) + ports


def _reaches(own: Settings, text: str) -> bool:
    """Whether the user's own list opens all that a host of a file stands for."""
    try:
        pattern, mine = parse_pattern(text), AllowList(own.allow_net)
        if pattern.subdomains:
            return canonical_host(text) in {canonical_host(one) for one in own.allow_net}
        return all(mine.allows(pattern.name, port) for port in pattern.ports)
    except ValueError:
        return False


def _some(ids: list[str]) -> str:
    more = len(ids) - 3
    shown = ", ".join(ids[:3])
    return f"{shown} and {more} more" if more > 0 else shown
