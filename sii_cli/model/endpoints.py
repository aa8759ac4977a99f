"""Endpoints: equal servers, of which a session uses the least busy, and another when it fails."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sii_cli.model.errors import ModelCallFailed, ModelCallRefused
from sii_cli.model.response_limits import MOST_COUNT, is_count
from sii_cli.model.server import Entry, Server, named

CHECK_TIMEOUT = 5.0
"""Seconds within which one of several servers must say what it serves and how busy it is."""
GONE = ("connect", "dns", "timeout", "tls", "engine_dead", "unavailable", "bad_url")
"""Failures after which a server is left at once, when there is another."""
MOST_FAILURES = 2
"""Failures of any kind in a row after which it is left."""
UNSEEN = 10.0
"""Seconds for which a session that was placed may not show in the server's own numbers."""

_METRIC = re.compile(
    r"^vllm:(num_requests_running|num_requests_waiting|kv_cache_usage_perc|num_preemptions_total)"
    r"(?:\{[^}\n]*\})? (\S{1,40})$",
    re.MULTILINE,
)
_placed: defaultdict[str, deque[float]] = defaultdict(deque)
"""When sessions of this process chose a server, by server: many may start at the same moment."""


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a server is, over all its engines."""

    running: float = 0.0
    """Requests that run."""
    waiting: float = 0.0
    """Requests that wait."""
    cache: float = 0.0
    """Share of the KV cache in use (the fullest engine's), from 0 to 1."""
    preemptions: float = 0.0
    """Preempted requests since the server started."""

    @property
    def requests(self) -> float:
        """Running and waiting."""
        return self.running + self.waiting


@dataclass(frozen=True, slots=True)
class EndpointModel:
    """The model that a session uses, as one server describes it."""

    server: Server
    name: str
    entry: Entry
    names: tuple[str, ...] = ()
    """All models of the server."""

    @property
    def length(self) -> int | None:
        """The context length in tokens."""
        return _length(self.entry)


@dataclass(frozen=True, slots=True)
class _Checked:
    server: Server
    entries: dict[str, Entry]
    load: Load


def read_load(metrics: str) -> Load:
    """Read a server's load from its `/metrics` (Prometheus text)."""
    found: defaultdict[str, float] = defaultdict(float)
    for name, text in _METRIC.findall(metrics):
        try:
            value = float(text)
        except ValueError:
            continue
        if not 0 <= value < MOST_COUNT:  # NaN and infinity too
            continue
        is_share = name == "kv_cache_usage_perc"
        found[name] = max(found[name], value) if is_share else found[name] + value
    return Load(
        running=found["num_requests_running"],
        waiting=found["num_requests_waiting"],
        cache=found["kv_cache_usage_perc"],
        preemptions=found["num_preemptions_total"],
    )


class Endpoints:
    """The servers of one session."""

    def __init__(self, base_urls: Sequence[str], api_key: str | None) -> None:
        """The first URL decides which model is meant when none is named."""
        self._servers = [Server(url, api_key) for url in base_urls]
        self.current = self._servers[0]
        self.left_out: tuple[str, ...] = ()
        """Sentences: which servers are not used, and why."""
        self._served: EndpointModel | None = None
        self._failures = 0

    @property
    def base_urls(self) -> list[str]:
        """The URLs of all servers."""
        return [server.base_url for server in self._servers]

    async def place(self, model: str | None) -> EndpointModel:
        """Choose the least busy of the servers that serve the model. Raises `ModelCallFailed`."""
        if len(self._servers) == 1:
            name, entries = await self.current.model(model)
            self._served = EndpointModel(self.current, name, entries[name], tuple(entries))
            return self._served
        checked = await asyncio.gather(*map(_check, self._servers))
        served = _meant(checked, model)
        equal, self.left_out = _sort_out(checked, served)
        self._use(min(equal, key=_busy).server)
        self._served = replace(served, server=self.current)
        return self._served

    async def leave(self, failure: ModelCallFailed) -> bool:
        """Move to another server after a failure if this one seems dead; return whether it did."""
        self._failures += 1
        others = [server for server in self._servers if server is not self.current]
        if not others or (failure.kind not in GONE and self._failures < MOST_FAILURES):
            return False
        checked = await asyncio.gather(*map(_check, others))
        equal = [
            one
            for one in checked
            if isinstance(one, _Checked) and (self._served is None or not _other(one, self._served))
        ]
        if not equal:
            return False
        self._use(min(equal, key=_busy).server)
        return True

    def answered(self) -> None:
        """Note that the server returned a whole response."""
        self._failures = 0

    async def aclose(self) -> None:
        """Close all connections."""
        for server in self._servers:
            await server.aclose()

    def _use(self, server: Server) -> None:
        self.current = server
        self._failures = 0
        _placed[server.base_url].append(time.monotonic())


async def _check(server: Server) -> _Checked | ModelCallFailed:
    """Ask a server what it serves and how busy it is."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            entries = {entry["id"]: entry for entry in await server.models()}
            return _Checked(server, entries, read_load(await server.metrics()))
    except TimeoutError:
        return ModelCallFailed("timeout", f"{server.base_url} does not answer.")
    except ModelCallFailed as error:
        return error


def _meant(checked: Sequence[_Checked | ModelCallFailed], model: str | None) -> EndpointModel:
    """Return the model of a name, as the first server describes it that has it."""
    seen = [one for one in checked if isinstance(one, _Checked)]
    if not seen:
        first = next(one for one in checked if isinstance(one, ModelCallFailed))
        raise first.with_message(f"None of {len(checked)} servers can be used: {first}")
    name = model or next(iter(seen[0].entries))
    for one in seen:
        if name in one.entries:
            return EndpointModel(one.server, name, one.entries[name], tuple(one.entries))
    others = named(dict.fromkeys(name for one in seen for name in one.entries))
    message = f"No server serves {name!r}; they serve {others}: set SII_MODEL."
    raise ModelCallRefused("unknown_model", message)


def _sort_out(
    checked: Sequence[_Checked | ModelCallFailed], served: EndpointModel
) -> tuple[list[_Checked], tuple[str, ...]]:
    """Return the servers that serve the same model, and why the others are left out."""
    equal: list[_Checked] = []
    said: list[str] = []
    for one in checked:
        if isinstance(one, ModelCallFailed):
            said.append(f"A server is not used for now: {one}")
        elif why := _other(one, served):
            said.append(f"{one.server.base_url} is left out: {why}.")
        else:
            equal.append(one)
    return equal, tuple(said)


def _other(one: _Checked, served: EndpointModel) -> str:
    """Return how a server differs from the chosen one; empty when it does not."""
    if served.name not in one.entries:
        return f"it serves {named(one.entries)}, not {served.name}"
    length = _length(one.entries[served.name])
    if length != served.length:
        return f"it holds {length} tokens, {served.server.base_url} {served.length}"
    return ""


def _length(entry: Entry) -> int | None:
    length = entry.get("max_model_len")
    return length if is_count(length) and length else None


def _busy(one: _Checked) -> tuple[float, float, float]:
    recent = _placed[one.server.base_url]
    while recent and recent[0] < time.monotonic() - UNSEEN:
        recent.popleft()
    return one.load.requests + len(recent), one.load.cache, random.random()
