"""Runs the sessions of a batch on a Ray cluster: each on its machine's own sandbox engine.

Workspaces go out as archives through Ray's object store, recordings come home as their sessions
close. A machine that is lost loses its sessions, and the runner runs them again.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from contextlib import chdir
from dataclasses import replace
from typing import Any

from recordings.events import Event, ModelResponse
from recordings.storage.log import read_events
from recordings.store.store import RecordingStore
from sandbox.own_folder import OwnFolder
from sii_cli.assembly import make_key
from sii_cli.batch.brought_home import seal_what_was_sent
from sii_cli.batch.executor import Bench, LocalExecutor, OnItem
from sii_cli.batch.job import Result
from sii_cli.batch.plan import Job
from sii_cli.batch.workspace_archive import bring_home, pack, unpack
from sii_cli.batch.workspaces import remove_workspace
from sii_cli.errors import SiiError, UsageError

MOST_SESSIONS = 1000
"""Of one machine, at once; how many there really are is the runner's business."""
LOOK = 2.0
"""Seconds between looks at which machines are alive."""
KEPT_WORKSPACES = 16
"""Workspaces that are kept in the object store: sessions of one query come side by side."""
NO_RAY = "--ray needs Ray: install it with `pip install 'sii-cli[ray]'`."

MakeExecutor = Callable[[Bench], LocalExecutor]


class WorkerLost(SiiError):
    """The machine that a session ran on is gone, or Ray lost hold of it."""


class SessionHost:
    """Runs sessions on one machine of the cluster; Ray makes it an actor."""

    def __init__(self, bench: Bench, make_executor: MakeExecutor) -> None:
        self._executor = make_executor(bench)

    async def run(self, job: Job, workspace: bytes | None) -> tuple[Result, bytes]:
        """Run a session; return its result and all that it left behind, as an archive."""
        with OwnFolder("batch") as place:
            home = place / "home"
            query = job.query
            if workspace is not None:
                source = place / "workspace"
                await asyncio.to_thread(unpack, workspace, source)
                query = query.model_copy(update={"workspace": source.name})
            executor = self._executor.at_home(home, place)
            result = await executor.run(replace(job, query=query), lambda job, item: None)
            return result, await asyncio.to_thread(pack, home)


class RayExecutor:
    """Sends each session to the machine that has the fewest of them."""

    def __init__(
        self,
        bench: Bench,
        address: str | None,
        *,
        make_executor: MakeExecutor = LocalExecutor,
    ) -> None:
        """`address` is the cluster's; without it one is found or started here.

        Raises `UsageError` when Ray is not there or does not answer.
        """
        try:
            import ray
        except ImportError:
            raise UsageError(NO_RAY) from None
        self._ray: Any = ray
        self._bench = bench
        self._make_executor = make_executor
        self._hosts: dict[str, Any] = {}
        self._running: Counter[str] = Counter()
        self._alive: frozenset[str] = frozenset()
        self._looked = -LOOK
        self._workspaces: OrderedDict[str, Any] = OrderedDict()
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

    async def run(self, job: Job, on_item: OnItem) -> Result:
        """Run a session on some machine, and bring its recording home."""
        workspace = await self._workspace(job)
        async with self._choosing:
            alive = await self._machines()
            node = await asyncio.to_thread(self._choose, alive)
            self._running[node] += 1
        try:
            result, left = await self._hosts[node].run.remote(job, workspace)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except self._ray.exceptions.RayError as error:
            self._hosts.pop(node, None)
            raise WorkerLost(f"the machine of the session is gone ({_first(error)})") from error
        finally:
            self._running[node] -= 1
        assert isinstance(result, Result)
        await asyncio.to_thread(self._bring_home, job, result, left)
        if result.session is not None:
            for response in await asyncio.to_thread(self._responses, result.session):
                on_item(job, response)
        return result

    def _bring_home(self, job: Job, result: Result, left: bytes) -> None:
        """Take in what a session left, and seal its recording if it is new and of the job. Blocks.

        Raises `ArchiveRefused`, `OSError`, `RecordingFailed`.
        """
        settings = self._bench.settings
        there = set(os.listdir(root)) if (root := settings.home / "recordings").is_dir() else set()
        bring_home(left, settings.home)
        key, session = make_key(settings), result.session
        if key is not None and session in set(os.listdir(root)) - there:
            seal_what_was_sent(root / session, self._bench.about(job), key)

    async def aclose(self) -> None:
        """Leave the cluster; what runs there on our behalf ends."""
        await asyncio.to_thread(self._ray.shutdown)

    async def _machines(self) -> frozenset[str]:
        """Return the ids of the machines that are alive, at most `LOOK` seconds old."""
        now = time.monotonic()
        if now - self._looked >= LOOK:
            self._looked = now
            nodes = await asyncio.to_thread(self._ray.nodes)
            self._alive = frozenset(node["NodeID"] for node in nodes if node["Alive"])
        return self._alive

    async def _workspace(self, job: Job) -> Any:
        """Return the query's workspace in the object store; none when it has none."""
        workspace = job.query.workspace
        if workspace is None:
            return None
        key = json.dumps(job.query.model_dump(include={"workspace"}, mode="json"))
        async with self._packing:
            if key not in self._workspaces:
                data = await asyncio.to_thread(self._pack, job)
                self._workspaces[key] = self._ray.put(data)
                while len(self._workspaces) > KEPT_WORKSPACES:
                    self._workspaces.popitem(last=False)
            self._workspaces.move_to_end(key)
            return self._workspaces[key]

    def _pack(self, job: Job) -> bytes:
        folder = self._bench.make_workspace(job.query)
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
        return actor.remote(self._bench, self._make_executor)

    def _responses(self, session: str) -> list[Event]:
        """Return the model's responses in a session that came home, to be counted. Blocks."""
        folder = RecordingStore(self._bench.settings.home / "recordings").resolve(session)
        return [event for event in read_events(folder) if isinstance(event.data, ModelResponse)]


def _first(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:200]
