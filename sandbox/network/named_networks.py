"""Networks by name: lists of the hosts that a package index or a hub needs, with a version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MARK = "@"
"""What a name begins with, in a list of hosts."""


@dataclass(frozen=True, slots=True)
class NamedNetwork:
    """The hosts of a service, those of its content included."""

    version: str
    """The day from which the list is. It changes whenever the hosts do."""
    hosts: tuple[str, ...]


NETWORKS = {
    "pypi": NamedNetwork("2026-11-30", ("pypi.org", "files.pythonhosted.org")),
    "npm": NamedNetwork("2026-11-30", ("registry.npmjs.org",)),
    "huggingface": NamedNetwork("2026-11-30", ("huggingface.co", "hf.co", "*.hf.co")),
    "github": NamedNetwork(
        "2026-11-30",
        ("github.com", "api.github.com", "codeload.github.com", "*.githubusercontent.com"),
    ),
}


def find_network(name: str) -> NamedNetwork:
    """Return a network by its name, such as `@pypi`. Raises `ValueError` with a sentence."""
    network = NETWORKS.get(name.removeprefix(MARK))
    if network is None:
        known = ", ".join(f"{MARK}{one}" for one in NETWORKS)
        raise ValueError(f"{name!r} is not a network that is known: there are {known}.")
    return network


def expand_networks(patterns: Iterable[str]) -> Iterator[str]:
    """Yield the patterns of hosts that a list stands for. Raises `ValueError`."""
    for pattern in patterns:
        text = pattern.strip()
        yield from find_network(text).hosts if text.startswith(MARK) else (pattern,)


def versions_of(patterns: Iterable[str]) -> list[str]:
    """Return the networks that a list names, each with its version. Raises `ValueError`."""
    names = dict.fromkeys(one.strip() for one in patterns if one.strip().startswith(MARK))
    return [f"{name} {find_network(name).version}" for name in names]
