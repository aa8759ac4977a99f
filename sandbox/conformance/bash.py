"""The session's shell: what lives on, how commands end, what their output is."""

from __future__ import annotations

import asyncio
import time

import pytest

from sandbox.conformance.fixtures import Start
from sandbox.protocol import Limits, Sandbox

pytestmark = pytest.mark.asyncio


async def test_directory_variables_functions_and_declared_arrays_live_on(sandbox: Sandbox) -> None:
    await sandbox.bash("cd /tmp; x=3; f() { echo f$x; }; declare -A map=([a]=b); export y=4")
    result = await sandbox.bash('f; echo "${map[a]}" $y; pwd')
    assert result.output == b"f3\nb 4\n/tmp\n"
    assert result.cwd == "/tmp"


async def test_exit_code_and_both_outputs_in_order(sandbox: Sandbox) -> None:
    result = await sandbox.bash("echo one; echo two >&2; echo three; (exit 7)")
    assert result.output == b"one\ntwo\nthree\n"
    assert result.exit_code == 7


async def test_stdin_is_closed_so_that_nothing_waits_for_a_person(sandbox: Sandbox) -> None:
    result = await sandbox.bash("cat; python3 -c 'input()'; git --no-pager log 2>&1 | head -1")
    assert b"EOFError" in result.output
    assert result.seconds < 5


async def test_unbalanced_quotes_and_nul_are_errors_of_the_command_alone(sandbox: Sandbox) -> None:
    assert (await sandbox.bash("echo 'open")).exit_code != 0
    assert (await sandbox.bash("echo a\0b")).exit_code == 2
    assert (await sandbox.bash("echo fine")).output == b"fine\n"


@pytest.mark.parametrize("command", ["exit 3", "set -e; (exit 3)", "exec sh -c 'exit 3'"])
async def test_a_command_that_ends_the_shell_is_told_and_the_directory_kept(
    sandbox: Sandbox, command: str
) -> None:
    await sandbox.bash("cd /tmp; x=3")
    result = await sandbox.bash(command)
    assert result.exit_code == 3
    assert result.lost_state is not None
    assert "variables" in result.lost_state
    after = await sandbox.bash("echo [$x]; pwd")
    assert after.output == b"[]\n/tmp\n"
    assert after.lost_state is None


@pytest.mark.parametrize(
    "command",
    [
        "sleep 60",
        "sleep 60 | cat",
        "(trap '' TERM; sleep 60 & wait; sleep 60)",
        "while :; do :; done",
        "f() { while :; do sleep 0.01; done; }; f",
    ],
)
async def test_the_time_limit_ends_the_command_and_keeps_the_shell(
    sandbox: Sandbox, command: str
) -> None:
    await sandbox.bash("x=3; sleep 300 & echo $! > /tmp/job")
    result = await sandbox.bash(f"echo before; {command}", timeout=0.3)
    assert result.timed_out
    assert result.output.startswith(b"before\n")
    assert result.lost_state is None
    assert result.seconds < 3
    after = await sandbox.bash("echo $x; kill -0 $(cat /tmp/job) && echo job lives")
    assert after.output == b"3\njob lives\n"
    left = await sandbox.bash("pgrep -x sleep | wc -l")
    assert left.output.strip() == b"1"


@pytest.mark.parametrize(
    "command",
    [
        "f() { sleep 60; }; f; touch went-on\ntouch went-on",
        "f() { while :; do :; done; }; g() { f; touch went-on; }; if g; then touch went-on; fi",
        "echo 'sleep 60; touch went-on' > file; . ./file; touch went-on",
        "shopt -s expand_aliases; alias builtin=true\nf() { sleep 60; }\nf\ntouch went-on",
    ],
)
async def test_nothing_of_a_command_runs_after_its_time_limit(
    sandbox: Sandbox, command: str
) -> None:
    await sandbox.bash("x=3")
    result = await sandbox.bash(command, timeout=0.3)
    assert (result.timed_out, result.lost_state) == (True, None)
    after = await sandbox.bash("ls went-on 2>/dev/null; echo $x; trap -p DEBUG; f() { echo y; }; f")
    assert after.output == b"3\ny\n"


async def test_a_shell_that_ignores_everything_is_restarted_and_that_is_told(
    sandbox: Sandbox,
) -> None:
    result = await sandbox.bash("trap '' USR1 TERM; while :; do :; done", timeout=0.2)
    assert result.timed_out
    assert result.lost_state is not None
    assert (await sandbox.bash("echo fine")).output == b"fine\n"


async def test_state_lost_with_a_cancelled_call_is_told_with_the_next(sandbox: Sandbox) -> None:
    await sandbox.bash("x=1")
    begun = asyncio.Event()
    stubborn = "trap '' INT TERM USR1; echo begun; while :; do :; done"
    call = asyncio.create_task(sandbox.bash(stubborn, on_output=lambda data: begun.set()))
    await begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    result = await sandbox.bash("echo x=$x")
    assert result.output == b"x=\n"
    assert result.lost_state is not None
    assert "shell" in result.lost_state
    assert (await sandbox.bash("true")).lost_state is None


async def test_cancelling_ends_the_command_and_keeps_the_shell(sandbox: Sandbox) -> None:
    await sandbox.bash("x=3")
    call = asyncio.create_task(sandbox.bash("sleep 60"))
    await asyncio.sleep(0.3)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    result = await sandbox.bash("echo $x; pgrep -x sleep")
    assert result.output == b"3\n"


async def test_a_background_process_that_holds_the_output_does_not_hold_the_command(
    sandbox: Sandbox,
) -> None:
    result = await sandbox.bash("(sleep 2; echo late; echo alive > /tmp/alive) & echo now")
    assert result.output == b"now\n"
    assert result.output_held
    assert result.seconds < 1.5
    await asyncio.sleep(2.3)
    assert (await sandbox.bash("cat /tmp/alive")).output == b"alive\n"


async def test_output_of_a_process_substitution_is_not_lost(sandbox: Sandbox) -> None:
    result = await sandbox.bash("echo through > >(sleep 0.01; cat)")
    assert result.output == b"through\n"


async def test_output_arrives_while_the_command_runs(sandbox: Sandbox) -> None:
    arrivals: list[tuple[float, bytes]] = []
    begin = time.monotonic()
    await sandbox.bash(
        "echo first; sleep 0.5; echo second",
        on_output=lambda data: arrivals.append((time.monotonic() - begin, data)),
    )
    assert arrivals[0][1] == b"first\n"
    assert arrivals[0][0] < arrivals[-1][0] - 0.3


async def test_long_output_keeps_head_and_tail_and_counts_the_rest(start: Start) -> None:
    sandbox = await start(Limits(output=1 << 20))
    result = await sandbox.bash("seq 1 1000000")
    whole = b"".join(b"%d\n" % n for n in range(1, 1000001))
    assert len(result.output) == 1 << 20
    assert result.dropped == len(whole) - (1 << 20)
    head, tail = result.output[: result.dropped_at], result.output[result.dropped_at :]
    assert whole.startswith(head)
    assert whole.endswith(tail)


async def test_output_of_exactly_the_limit_is_whole(start: Start) -> None:
    sandbox = await start(Limits(output=100))
    result = await sandbox.bash("printf '%0100d' 1")
    assert result.output == b"%0100d" % 1
    assert result.dropped == 0


async def test_fresh_shells_share_no_state_and_run_side_by_side(sandbox: Sandbox) -> None:
    await sandbox.bash("x=3; cd /tmp")
    begin = time.monotonic()
    results = await asyncio.gather(
        *(sandbox.bash("sleep 0.5; echo [$x]; pwd", fresh=True) for _ in range(4))
    )
    assert time.monotonic() - begin < 1.5
    assert {result.output for result in results} == {b"[]\n/workspace\n"}


async def test_the_time_limit_ends_a_fresh_shell_with_its_children(sandbox: Sandbox) -> None:
    result = await sandbox.bash("trap '' TERM; sleep 60; sleep 60", timeout=0.2, fresh=True)
    assert result.timed_out
    assert (await sandbox.bash("pgrep -x sleep | wc -l")).output.strip() == b"0"


async def test_commands_have_a_name_a_home_and_no_pager(sandbox: Sandbox) -> None:
    result = await sandbox.bash("whoami && test -w $HOME && echo $PAGER $GIT_TERMINAL_PROMPT")
    assert result.exit_code == 0
    assert result.output.endswith(b"cat 0\n")


async def test_ping_answers_while_commands_run_and_kill_all_ends_them(sandbox: Sandbox) -> None:
    running = asyncio.create_task(sandbox.bash("while :; do :; done"))
    await asyncio.sleep(0.2)
    assert await sandbox.ping() < 0.5
    await sandbox.kill_all()
    result = await running
    assert result.signal == 9
    assert result.lost_state is not None
    assert (await sandbox.bash("echo fine")).output == b"fine\n"
    assert (await sandbox.read_file("/etc/passwd")).size > 0


async def test_a_command_right_after_kill_all_runs_in_a_new_shell(sandbox: Sandbox) -> None:
    for _ in range(10):
        await sandbox.bash("sleep 600 &")
        await sandbox.python("x = 1")
        await sandbox.kill_all()
        shell, interpreter = await asyncio.gather(sandbox.bash("echo 1"), sandbox.python("1"))
        for result in (shell, interpreter):
            assert (result.output, result.exit_code) == (b"1\n", 0)
            assert result.lost_state is not None


async def test_what_is_frozen_stands_still_and_notices_nothing(sandbox: Sandbox) -> None:
    ticks = "while :; do date +%N > tick; sleep 0.01; done"
    await sandbox.bash(f"x=kept; ({ticks}) >/dev/null 2>&1 &")
    job = await sandbox.start_job(f"echo begun; ({ticks.replace('tick', 'tock')})")
    running = asyncio.create_task(sandbox.bash("sleep 1; echo $x"))
    await asyncio.sleep(0.3)
    await sandbox.freeze()
    before = [(await sandbox.read_file(name)).data for name in ("tick", "tock")]
    await asyncio.sleep(0.3)
    assert [(await sandbox.read_file(name)).data for name in ("tick", "tock")] == before
    await sandbox.unfreeze()
    result = await running
    assert (result.output, result.exit_code, result.lost_state) == (b"kept\n", 0, None)
    after = [(await sandbox.read_file(name)).data for name in ("tick", "tock")]
    assert all(one != other for one, other in zip(before, after, strict=True))
    assert [one.job_id for one in sandbox.jobs() if one.running] == [job.job_id]
    assert not sandbox.ended_jobs()


async def test_a_caller_that_fails_on_output_ends_the_command(sandbox: Sandbox) -> None:
    def fail(_data: bytes) -> None:
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="the disk is full"):
        await sandbox.bash("echo output; sleep 60; echo > went-on", on_output=fail)
    result = await asyncio.wait_for(sandbox.bash("echo next"), 30)
    assert result.output == b"next\n"
    assert (await sandbox.bash("ls went-on")).exit_code != 0


@pytest.mark.parametrize(
    "before",
    [
        "shopt -s expand_aliases; alias builtin=echo .=echo eval=echo printf=echo",
        "IFS=0123456789",
        "enable -n eval . printf builtin; builtin enable -n .",
        "unset PWD",
    ],
)
async def test_no_setting_of_the_shell_comes_between_it_and_the_next_command(
    sandbox: Sandbox, before: str
) -> None:
    await sandbox.bash(f"x=kept; {before}; true")
    after = await sandbox.bash('echo "$x"; (exit 17)')
    assert (after.output, after.exit_code, after.lost_state) == (b"kept\n", 17, None)


@pytest.mark.parametrize(
    "command", ["set -n", "builtin() { :; }", "shopt -s extdebug; trap false DEBUG"]
)
async def test_a_shell_that_stopped_responding_is_restarted_at_once(
    sandbox: Sandbox, command: str
) -> None:
    result = await sandbox.bash(command, timeout=20)
    assert (result.timed_out, result.signal) == (False, None)
    assert "stopped listening" in (result.lost_state or "")
    assert (await sandbox.bash("echo fine")).output == b"fine\n"


async def test_a_command_that_the_shell_could_not_begin_is_said_not_to_have_run(
    sandbox: Sandbox,
) -> None:
    assert (await sandbox.bash("set -r")).exit_code == 0
    result = await sandbox.bash("touch ran")
    assert result.exit_code is None
    assert "was not run" in (result.lost_state or "")
    assert (await sandbox.bash("ls")).output == b""
    # An output that was opened and left empty by a command that failed is none of that.
    failed = await sandbox.bash("false")
    assert (failed.exit_code, failed.lost_state) == (1, None)


async def test_functions_named_as_builtins_hold_up_no_later_command(sandbox: Sandbox) -> None:
    await sandbox.bash("eval() { :; }; printf() { :; }; function . { :; }; true")
    after = await sandbox.bash("echo here; false", timeout=20)
    assert (after.output, after.exit_code, after.timed_out) == (b"here\n", 1, False)
