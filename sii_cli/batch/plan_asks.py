"""What somebody else's plan of a batch asks for, beyond what its queries ask for.

A plan pins settings. What changes the sampling or works in the sandbox alone is taken as it is,
limits are lowered to the user's own, and everything else is asked about.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sii_cli.batch.places import Homes, places_of
from sii_cli.batch.query_asks import asks_of_all, canonical_host
from sii_cli.config.settings import SETTING_FIELDS, Settings
from sii_cli.queries.queries import Query
from sii_cli.trust.asks import Ask, Kind

HARMLESS = frozenset(
    (
        "model",
        "temperature",
        "top_p",
        "seed",
        "enable_thinking",
        "keep_reasoning",
        "compact",
        "snapshots",
        "setup",
    )
)
"""Settings that open nothing: what is asked of the user's own server, or done in the sandbox."""
_STRICTER = {field.name: field.metadata["stricter"] for field in SETTING_FIELDS}
_LISTED: dict[str, Kind] = {"allow_net": "net", "env": "env", "mounts": "mounts"}
"""Settings that hold several values, each asked for by itself."""


def plan_asks(
    base: Path,
    queries: Sequence[Query],
    pinned: dict[str, Any],
    own: Settings,
    homes: Homes,
) -> Counter[Ask]:
    """Return what a foreign plan asks for, and how often.

    `pinned` are the settings that it would bring, `own` the user's, without them.
    """
    asks = asks_of_all(queries, base, own, homes)
    inside = [place for place in places_of(queries, base, homes) if place and place.inside]
    if inside:  # its author said which folder that is
        asks[Ask("paths", os.path.realpath(base))] = len(inside)
    asks.update(_of_settings(pinned, own))
    return asks


def lowered_to(own: Settings, pinned: dict[str, Any]) -> dict[str, Any]:
    """Return pinned settings with limits and tools that are at most the user's own."""
    mine = own.without_secrets()
    return {name: _lowered(name, value, mine[name]) for name, value in pinned.items()}


def _of_settings(pinned: dict[str, Any], own: Settings) -> Iterator[Ask]:
    plain = own.without_secrets()
    for name, value in pinned.items():
        if name in HARMLESS or _STRICTER[name] or value in (None, plain[name]):
            continue
        if kind := _LISTED.get(name):
            for one in set(map(str, value)) - set(plain[name]):
                yield Ask(kind, _said(name, one))
        else:
            kind = "image" if name == "image" else "settings"
            yield Ask(kind, value if name == "image" else f"{name} = {value}")


def _said(name: str, value: str) -> str:
    if name == "allow_net":
        return canonical_host(value)
    if name == "env":
        variable, given, _ = value.partition("=")
        return variable if given else f"{variable}, with the value that it has here"
    return value


def _lowered(name: str, value: Any, mine: Any) -> Any:
    match _STRICTER[name]:
        case "lower" if isinstance(value, int | float):
            return value if mine is None else min(value, mine)
        case "fewer" if isinstance(value, list):
            return [one for one in value if one in mine] or mine
        case "on":
            return bool(value or mine)
        case None:
            return value
        case _:
            return mine
