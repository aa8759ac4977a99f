"""The gate keeps servers full and not flooded, and waits when the world is broken."""

from __future__ import annotations

from sii_cli.batch.running.admission import CHECK_EVERY, FAILURES_IN_A_ROW, FULL, Admission
from sii_cli.model.endpoints import Load


class FakeServers:
    """Servers whose load a test sets; `None`: no server answers."""

    def __init__(self) -> None:
        self.load: Load | None = Load()
        self.looks = 0

    async def current_load(self) -> Load | None:
        self.looks += 1
        return self.load


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def make_admission(concurrency: int = 100) -> tuple[Admission, FakeServers, Clock]:
    servers, clock = FakeServers(), Clock()
    return Admission(concurrency, servers, clock=clock), servers, clock


async def room(admission: Admission, clock: Clock, running: int) -> int:
    """How many may run, as found out by asking."""
    clock.now += CHECK_EVERY
    while running < 1000 and await admission.refusal(running) is None:
        running += 1
    return running


async def test_no_more_run_than_are_asked_for() -> None:
    admission, _, _ = make_admission(3)
    assert await admission.refusal(2) is None
    assert await admission.refusal(3) == FULL


async def test_while_the_server_is_away_nothing_starts_and_no_session_is_blamed() -> None:
    admission, servers, clock = make_admission()
    servers.load = None
    assert await admission.refusal(0) == "waiting for the server"
    for _ in range(20):
        clock.now += CHECK_EVERY
        assert not await admission.failed("connect")
    servers.load = Load()
    clock.now += CHECK_EVERY
    assert await admission.refusal(0) is None
    assert not admission.never_worked


async def test_servers_are_not_asked_for_every_session() -> None:
    admission, servers, _ = make_admission()
    for running in range(50):
        assert await admission.refusal(running) is None
    assert servers.looks == 1


async def test_preemptions_let_fewer_run_and_calm_lets_more() -> None:
    admission, servers, clock = make_admission()
    assert await room(admission, clock, 0) == 100
    servers.load = Load(running=100, preemptions=7)
    clock.now += CHECK_EVERY
    assert await admission.refusal(100) == FULL
    assert await room(admission, clock, 90) == 90
    before = await room(admission, clock, 60)
    servers.load = Load(running=70, preemptions=9)
    assert await room(admission, clock, 60) < before
    servers.load = Load(running=50, preemptions=9)
    for _ in range(20):
        reached = await room(admission, clock, 60)
    assert reached == 100


async def test_while_requests_wait_no_more_are_sent() -> None:
    admission, servers, clock = make_admission()
    servers.load = Load(running=30, waiting=4)
    assert await room(admission, clock, 30) == 30
    servers.load = Load(running=30, cache=0.97)
    assert await room(admission, clock, 30) == 30


async def test_when_everything_fails_one_session_at_a_time_is_tried() -> None:
    admission, _, clock = make_admission()
    admission.succeeded()
    assert all([await admission.failed("no sandbox") for _ in range(FAILURES_IN_A_ROW + 3)])
    assert not admission.never_worked
    assert "no sandbox" in (await admission.refusal(0) or "")
    clock.now += 60
    assert await admission.refusal(0) is None
    assert "no sandbox" in (await admission.refusal(1) or "")
    admission.succeeded()
    assert await admission.refusal(1) is None


async def test_when_nothing_ever_worked_it_is_hopeless() -> None:
    admission, _, _ = make_admission()
    for _ in range(FAILURES_IN_A_ROW):
        await admission.failed("there is no image")
    assert admission.never_worked
