"""Runs the sessions of a batch on a Ray cluster: each on its machine's own sandbox engine.

Workspaces are sent as archives through Ray's object store, and recordings are returned when their
sessions end. The sessions of a lost machine are run again.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir
from dataclasses import replace
from typing import Any

from recordings.events import Event, ModelResponse
from recordings.storage.log import read_events
from recordings.store.store import RecordingStore
from sandbox.own_folder import OwnFolder
from sii_cli.assembly import make_key
from sii_cli.batch.plan.plan import Attempt
from sii_cli.batch.sessions.archive import merge_received, pack, unpack
from sii_cli.batch.sessions.executor import LocalExecutor, OnItem
from sii_cli.batch.sessions.node_data import NodeData, packed, sendable
from sii_cli.batch.sessions.received import seal_received
from sii_cli.batch.sessions.rounds import AttemptResult
from sii_cli.batch.sessions.session_parts import SessionParts
from sii_cli.data_sets.data_set import DataSet
from sii_cli.data_sets.registry import find_data_sets
from sii_cli.errors import SiiError, UsageError
from sii_cli.queries.workspaces.copies import remove_workspace

MOST_SESSIONS = 1000
"""Of one machine, at once; the runner decides how many there are."""
CHECK_EVERY = 2.0
"""Seconds between checks which machines are alive."""
KEPT_WORKSPACES = 16
"""Workspaces kept in the object store: attempts of one query run one after another."""
NO_RAY = "--ray needs Ray: install it with `pip install 'sii-cli[ray]'`."

MakeExecutor = Callable[[SessionParts], LocalExecutor]


class WorkerLost(SiiError):
    """Raised when the machine of a session is gone, or Ray lost its process."""


class SessionHost:
    """Runs sessions on one machine of the cluster; Ray makes it an actor."""

    def __init__(self, parts: SessionParts, make_executor: MakeExecutor) -> None:
        self._executor = make_executor(parts)
        self._data = NodeData()

    async def run(
        self,
        attempt: Attempt,
        workspace: bytes | None,
        data_sets: Sequence[DataSet],
        sent: Mapping[str, Any],
    ) -> tuple[AttemptResult, bytes]:
        """Run a session; return its result and what it recorded, as an archive.

        `sent` has the archives of data sets in the object store, by their hashes.
        """
        with OwnFolder("batch") as place:
            home = place / "home"
            await asyncio.to_thread(self._data.provide, home, data_sets, sent, _from_store)
            query = attempt.query
            if workspace is not None:
                source = place / "workspace"
                await asyncio.to_thread(unpack, workspace, source)
                query = query.model_copy(update={"workspace": source.name})
            executor = self._executor.at_home(home, place)
            result = await executor.run(replace(attempt, query=query), lambda attempt, item: None)
            return result, await asyncio.to_thread(pack, home)


class RayExecutor:
    """Sends each session to the machine that has the fewest of them."""

    def __init__(
        self,
        parts: SessionParts,
        address: str | None,
        *,
        make_executor: MakeExecutor = LocalExecutor,
    ) -> None:
        """`address` is the cluster's; without it one is found or started here.

        Raises `UsageError` when Ray is not installed or does not answer.
        """
        try:
            import ray
        except ImportError:
            raise UsageError(NO_RAY) from None
        self._ray: Any = ray
        self._parts = parts
        self._make_executor = make_executor
        self._hosts: dict[str, Any] = {}
        self._running: Counter[str] = Counter()
        self._alive: frozenset[str] = frozenset()
        self._checked = -CHECK_EVERY
        self._workspaces: OrderedDict[str, Any] = OrderedDict()
        self._sent: dict[str, Any] = {}
        """Data sets in the object store, by their hashes."""
        self._packing = asyncio.Lock()
        self._choosing = asyncio.Lock()
        try:
            with chdir(sys.prefix):  # Ray has its workers import from the working directory
                ray.init(
                    address=address,
                    ignore_reinit_error=True,
                    log_to_driver=False,
                    runtime_env={"worker_process_setup_hook": "sii_cli.import_path.clean"},
                )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UsageError(f"No Ray cluster answers at {address}: {error}") from error

    async def run(self, attempt: Attempt, on_item: OnItem) -> AttemptResult:
        """Run a session on one of the machines, and take in its recording."""
        workspace = await self._workspace(attempt)
        data_sets = await self._data_sets(attempt)
        async with self._choosing:
            alive = await self._machines()
            node = await asyncio.to_thread(self._choose, alive)
            self._running[node] += 1
        try:
            result, left = await self._hosts[node].run.remote(
                attempt, workspace, data_sets, self._sent
            )
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except self._ray.exceptions.RayError as error:
            self._hosts.pop(node, None)
            raise WorkerLost(f"the machine of the session is gone ({_first(error)})") from error
        finally:
            self._running[node] -= 1
        assert isinstance(result, AttemptResult)
        await asyncio.to_thread(self._merge, attempt, result, left)
        if result.session is not None:
            for response in await asyncio.to_thread(self._responses, result.session):
                on_item(attempt, response)
        return result

    def _merge(self, attempt: Attempt, result: AttemptResult, left: bytes) -> None:
        """Take in what a session recorded, and seal a new recording of the attempt. Blocks.

        Raises `SourceRefused`, `OSError`, `RecordingFailed`.
        """
        settings = self._parts.settings
        there = set(os.listdir(root)) if (root := settings.home / "recordings").is_dir() else set()
        merge_received(left, settings.home)
        key, session = make_key(settings), result.session
        if key is not None and session in set(os.listdir(root)) - there:
            seal_received(root / session, self._parts.about(attempt), key)

    async def aclose(self) -> None:
        """Leave the cluster; the sessions' processes there end."""
        await asyncio.to_thread(self._ray.shutdown)

    async def _machines(self) -> frozenset[str]:
        """Return the ids of the machines that are alive, at most `CHECK_EVERY` seconds old."""
        now = time.monotonic()
        if now - self._checked >= CHECK_EVERY:
            self._checked = now
            nodes = await asyncio.to_thread(self._ray.nodes)
            self._alive = frozenset(node["NodeID"] for node in nodes if node["Alive"])
        return self._alive

    async def _workspace(self, attempt: Attempt) -> Any:
        """Return the query's workspace in the object store, or None."""
        workspace = attempt.query.workspace
        if workspace is None:
            return None
        key = json.dumps(attempt.query.model_dump(include={"workspace"}, mode="json"))
        async with self._packing:
            if key not in self._workspaces:
                data = await asyncio.to_thread(self._pack, attempt)
                self._workspaces[key] = self._ray.put(data)
                while len(self._workspaces) > KEPT_WORKSPACES:
                    self._workspaces.popitem(last=False)
            self._workspaces.move_to_end(key)
            return self._workspaces[key]

    async def _data_sets(self, attempt: Attempt) -> Sequence[DataSet]:
        """Return the session's data sets; those that can be sent are in the object store."""
        settings = self._parts.settings
        data_sets = find_data_sets(
            settings.key_home or settings.home, (*settings.data, *attempt.query.data)
        )
        async with self._packing:
            for one in sendable(data_sets):
                if one.sha256 not in self._sent:
                    self._sent[one.sha256] = self._ray.put(await asyncio.to_thread(packed, one))
        return data_sets

    def _pack(self, attempt: Attempt) -> bytes:
        folder = self._parts.make_workspace(attempt.query)
        try:
            return pack(folder)
        finally:
            remove_workspace(folder)

    def _choose(self, alive: frozenset[str]) -> str:
        """Return the machine with the fewest sessions. Blocks. Raises `WorkerLost`."""
        if not alive:
            raise WorkerLost("the Ray cluster has no machine")
        for gone in self._hosts.keys() - alive:
            del self._hosts[gone]
        for fresh in alive - self._hosts.keys():
            self._hosts[fresh] = self._host(fresh)
        return min(alive, key=lambda node: (self._running[node], node))

    def _host(self, node: str) -> Any:
        """Start the host of one machine."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        actor = self._ray.remote(SessionHost).options(
            num_cpus=0,
            max_concurrency=MOST_SESSIONS,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        )
        return actor.remote(self._parts, self._make_executor)

    def _responses(self, session: str) -> list[Event]:
        """Return the model's responses in a received recording, to be counted. Blocks."""
        folder = RecordingStore(self._parts.settings.home / "recordings").resolve(session)
        return [event for event in read_events(folder) if isinstance(event.data, ModelResponse)]


def _from_store(reference: Any) -> bytes:
    """Return what a reference in the object store stands for. Blocks."""
    import ray

    found: bytes = ray.get(reference)
    return found


def _first(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:200]
