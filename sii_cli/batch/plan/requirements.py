"""What a foreign plan of a batch requires, beyond what its queries require.

A plan pins settings. Those that change only the sampling or the work in the sandbox are accepted,
limits are lowered to the user's own, and everything else needs a grant.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sii_cli.batch.plan.pinned_settings import STRICTER, PinnedSettings
from sii_cli.config.settings import Settings
from sii_cli.queries.queries import Query
from sii_cli.queries.requirements import canonical_host, requirements_of_all
from sii_cli.queries.workspaces.workspace_sources import WorkspaceSource
from sii_cli.trust.requirements import Kind, Requirement

HARMLESS = frozenset(
    (
        "model",
        "temperature",
        "top_p",
        "seed",
        "enable_thinking",
        "keep_reasoning",
        "wire",
        "record_logprobs",
        "compact",
        "snapshots",
        "setup",
    )
)
"""Settings that open nothing: they change what the user's own server or the sandbox does."""
_LISTED: dict[str, Kind] = {
    "allow_net": "net",
    "data": "data",
    "env": "env",
    "mounts": "mounts",
}
"""Settings that hold several values, each a requirement by itself."""


def plan_requirements(
    base: Path,
    queries: Sequence[Query],
    sources: Sequence[WorkspaceSource | None],
    pinned: PinnedSettings,
    vary: Mapping[str, Sequence[Any]],
    own: Settings,
) -> Counter[Requirement]:
    """Return what a foreign plan requires, and how often.

    `pinned` are the plan's settings, `vary` what it varies, `own` the user's without them.
    """
    requirements = requirements_of_all(queries, sources, own)
    inside = [source for source in sources if source and source.inside]
    if inside:  # the author of the plan chose this folder
        requirements[Requirement("paths", os.path.realpath(base))] = len(inside)
    requirements.update(_of_settings(pinned, own))
    requirements.update(_of_variants(vary, own))
    return requirements


def _of_variants(vary: Mapping[str, Sequence[Any]], own: Settings) -> Iterator[Requirement]:
    """Yield the limits of variants that are not surely within the user's own."""
    for name in vary.keys() & {"max_steps"}:
        for value in vary[name]:
            if not isinstance(value, int) or value > own.max_steps:
                yield Requirement("settings", f"{name} = {value}")


def _of_settings(pinned: PinnedSettings, own: Settings) -> Iterator[Requirement]:
    plain = own.without_secrets()
    for name, value in pinned.values.items():
        if name in HARMLESS or STRICTER[name] or value in (None, plain[name]):
            continue
        if kind := _LISTED.get(name):
            for one in set(map(str, value)) - set(plain[name]):
                yield Requirement(kind, _shown(name, one))
        else:
            kind = "image" if name == "image" else "settings"
            yield Requirement(kind, value if name == "image" else f"{name} = {value}")


def _shown(name: str, value: str) -> str:
    if name == "allow_net":
        return canonical_host(value)
    if name == "env":
        variable, given, _ = value.partition("=")
        return variable if given else f"{variable}, with the value that it has here"
    return value
