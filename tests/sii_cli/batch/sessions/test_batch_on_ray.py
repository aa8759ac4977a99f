"""The same batch on a real Ray cluster of several nodes, one of which is killed."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recordings.events import SandboxStart
from recordings.storage.log import read_events
from recordings.verify import verify
from sii_cli.batch.attempts import Attempts, read_attempts
from sii_cli.batch.plan.plan import BatchPlan, sha256_of
from sii_cli.batch.running.admission import Admission
from sii_cli.batch.running.progress import Progress
from sii_cli.batch.running.runner import Runner
from sii_cli.batch.running.servers import ModelServers
from sii_cli.batch.runs import Account, Run
from sii_cli.batch.sessions.executor import Executor
from sii_cli.batch.sessions.session_parts import SessionParts
from sii_cli.config.settings import Settings
from sii_cli.data_sets.registry import add_data_set
from sii_cli.queries.queries import Query
from tests.fakes.batch_server import BatchServer
from tests.fakes.threads import in_a_thread
from tests.recordings.data_of import data_of
from tests.sii_cli.batch.sii_with_fake_sandboxes import with_fake_sandboxes

ray = pytest.importorskip("ray")
from ray.cluster_utils import Cluster  # noqa: E402

from sii_cli.batch.sessions.ray_executor import RayExecutor  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]

ROOT = Path(__file__).parents[4]
QUERIES = [
    Query(id=f"q{n}", query=f"steps=2 solve={n % 2}", check="test -f solved && test -f given")
    for n in range(6)
]


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with in_a_thread(BatchServer(slow=0.02)) as server:
        yield server


@pytest.fixture
def cluster() -> Iterator[Any]:
    os.environ["PYTHONPATH"] = str(ROOT)
    cluster: Any = Cluster(  # ray is typed in part
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def make_parts(server: BatchServer, home: Path, queries: list[Query]) -> SessionParts:
    settings = replace(Settings(), base_url=server.base_url, home=home, workspace=home)
    plan = BatchPlan(
        "ray", "", str(home.parent), sha256_of(queries), 2, {}, 0, None, {}, [("data", "start")]
    )
    return SessionParts(settings, plan)


async def nothing(progress: Progress) -> None:
    """Let it run."""


During = Callable[[Progress], Awaitable[None]]


async def run(
    bench: SessionParts, executor: Executor, queries: list[Query], during: During = nothing
) -> Attempts:
    servers = ModelServers(bench.settings.base_urls, None)
    attempts = list(bench.plan.all_attempts(queries))
    progress = Progress(len(attempts), Attempts())
    account = Account(Run(time.time()))
    runner = Runner(
        attempts, executor, admission=Admission(6, servers), listener=progress, account=account
    )
    running = asyncio.create_task(runner.run())
    await during(progress)
    assert await running is None
    await executor.aclose()
    await servers.aclose()
    return read_attempts(bench.settings.home, "ray", attempts)


def statuses(outcomes: Attempts) -> dict[str, str | None]:
    return {attempt: one.outcome for attempt, one in outcomes.ended.items()}


async def test_ray_gives_what_the_local_run_gives_though_a_node_is_killed(
    tmp_path: Path, server: BatchServer, cluster: Any
) -> None:
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "given").write_text("by the query")
    queries = [query.model_copy(update={"workspace": "start"}) for query in QUERIES]

    queries = [query.model_copy(update={"data": ("start",)}) for query in queries]
    for home in ("here", "there"):
        add_data_set(tmp_path / home, "start", tmp_path / "start")
    here = make_parts(server, tmp_path / "here", queries)
    local = await run(here, with_fake_sandboxes(here), queries)
    server.answered = 0

    async def kill_a_node(progress: Progress) -> None:
        async with asyncio.timeout(60):
            while len(progress.running) < 6 or not server.answered:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        worker = cluster.list_all_nodes()[-1]
        await asyncio.to_thread(cluster.remove_node, worker, allow_graceful=False)

    there = make_parts(server, tmp_path / "there", queries)
    executor = RayExecutor(there, cluster.address, make_executor=with_fake_sandboxes)
    spread = await run(there, executor, queries, kill_a_node)

    assert statuses(spread) == statuses(local)
    assert Counter(statuses(local).values()) == {"solved": 6, "unsolved": 6}
    for one in spread.ended.values():
        assert verify(one.folder).whole
        (start, *_) = data_of(read_events(one.folder), SandboxStart)
        assert [use.name for use in start.data or ()] == ["start"]
    assert not list((tmp_path / "there").glob(".incoming-*"))
