"""The gate keeps servers full and not flooded, and waits when the world is broken."""

from __future__ import annotations

from sii_cli.batch.gate import DOUBT, FULL, LOOK_EVERY, Gate
from sii_cli.model.endpoints import Load


class FakeServers:
    """Servers whose load a test sets; none: away."""

    def __init__(self) -> None:
        self.load: Load | None = Load()
        self.looks = 0

    async def look(self) -> Load | None:
        self.looks += 1
        return self.load


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def make_gate(concurrency: int = 100) -> tuple[Gate, FakeServers, Clock]:
    servers, clock = FakeServers(), Clock()
    return Gate(concurrency, servers, clock=clock), servers, clock


async def room(gate: Gate, clock: Clock, running: int) -> int:
    """How many may run, as found out by asking."""
    clock.now += LOOK_EVERY
    while running < 1000 and await gate.closed(running) is None:
        running += 1
    return running


async def test_no_more_run_than_are_asked_for() -> None:
    gate, _, _ = make_gate(3)
    assert await gate.closed(2) is None
    assert await gate.closed(3) == FULL


async def test_while_the_server_is_away_nothing_starts_and_no_session_is_blamed() -> None:
    gate, servers, clock = make_gate()
    servers.load = None
    assert await gate.closed(0) == "waiting for the server"
    for _ in range(20):
        clock.now += LOOK_EVERY
        assert not await gate.failed("connect")
    servers.load = Load()
    clock.now += LOOK_EVERY
    assert await gate.closed(0) is None
    assert not gate.hopeless


async def test_servers_are_not_asked_for_every_session() -> None:
    gate, servers, _ = make_gate()
    for running in range(50):
        assert await gate.closed(running) is None
    assert servers.looks == 1


async def test_preemptions_let_fewer_run_and_calm_lets_more() -> None:
    gate, servers, clock = make_gate()
    assert await room(gate, clock, 0) == 100
    servers.load = Load(running=100, preemptions=7)
    clock.now += LOOK_EVERY
    assert await gate.closed(100) == FULL
    assert await room(gate, clock, 90) == 90
    before = await room(gate, clock, 60)
    servers.load = Load(running=70, preemptions=9)
    assert await room(gate, clock, 60) < before
    servers.load = Load(running=50, preemptions=9)
    for _ in range(20):
        reached = await room(gate, clock, 60)
    assert reached == 100


async def test_while_requests_wait_no_more_are_sent() -> None:
    gate, servers, clock = make_gate()
    servers.load = Load(running=30, waiting=4)
    assert await room(gate, clock, 30) == 30
    servers.load = Load(running=30, cache=0.97)
    assert await room(gate, clock, 30) == 30


async def test_when_everything_fails_one_session_at_a_time_is_tried() -> None:
    gate, _, clock = make_gate()
    gate.went_well()
    assert all([await gate.failed("no sandbox") for _ in range(DOUBT + 3)])
    assert not gate.hopeless
    assert "no sandbox" in (await gate.closed(0) or "")
    clock.now += 60
    assert await gate.closed(0) is None
    assert "no sandbox" in (await gate.closed(1) or "")
    gate.went_well()
    assert await gate.closed(1) is None


async def test_when_nothing_ever_worked_it_is_hopeless() -> None:
    gate, _, _ = make_gate()
    for _ in range(DOUBT):
        await gate.failed("there is no image")
    assert gate.hopeless
