"""A batch's account: hours and GPU-hours over all of its runs, also of those that were killed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sii_cli.batch.budget import BatchBudget
from sii_cli.batch.runs import KEEP_EVERY, KILLED, RUNS, Account, Run, read_runs
from sii_cli.errors import UsageError


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def pass_time(account: Account, clock: Clock, seconds: float, *, served: bool = True) -> None:
    clock.now += seconds
    account.tick(served=served)


def test_gpu_hours_are_hours_times_gpus_while_a_server_answers() -> None:
    clock = Clock()
    account = Account(Run(0.0, gpus=8), clock=clock)
    account.tick(served=True)
    pass_time(account, clock, 60.0)
    pass_time(account, clock, 600.0, served=False)
    spent = account.spent(5)
    assert (spent.tokens, spent.seconds, spent.gpu_seconds) == (5, 660.0, 480.0)


def test_a_run_goes_on_with_the_account_of_those_before(tmp_path: Path) -> None:
    clock = Clock()
    first = Account(Run(0.0, gpus=8), tmp_path, clock=clock)
    first.tick(served=True)
    pass_time(first, clock, 2 * KEEP_EVERY)
    pass_time(first, clock, KEEP_EVERY / 2)  # then it is killed
    [killed] = read_runs(tmp_path)
    assert (killed.ended, killed.seconds) == (KILLED, 2 * KEEP_EVERY)

    second = Account(Run(0.0, gpus=2), tmp_path, [killed], tokens_before=100, clock=clock)
    second.tick(served=True)
    pass_time(second, clock, 10.0)
    spent = second.spent(7)
    assert spent.tokens == 107
    assert spent.seconds == 2 * KEEP_EVERY + 10.0
    assert spent.gpu_seconds == 8 * 2 * KEEP_EVERY + 2 * 10.0
    assert BatchBudget(hours=30 / 3600).used_up(spent) == "0.00833333 hours"
    assert BatchBudget(hours=31 / 3600).used_up(spent) is None
    assert BatchBudget(gpu_hours=180 / 3600).used_up(spent) == "0.05 GPU-hours"
    assert BatchBudget(tokens=107).used_up(spent) == "107 tokens"
    assert BatchBudget(tokens=108).used_up(spent) is None


def test_an_account_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / RUNS).write_text("[{]")
    with pytest.raises(UsageError, match="is damaged"):
        read_runs(tmp_path)


@pytest.mark.parametrize("name", ["seconds", "gpu_seconds", "concurrency", "gpus"])
def test_no_account_takes_back_what_was_used(tmp_path: Path, name: str) -> None:
    """A batch's folder may be another person's: its account must not lift the user's budget."""
    run: dict[str, float] = {"began": 0.0, name: -1}
    (tmp_path / RUNS).write_text(json.dumps([run]))
    with pytest.raises(UsageError, match="is damaged"):
        read_runs(tmp_path)
