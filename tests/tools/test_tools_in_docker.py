"""The tools in a real sandbox: what a model reads there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.tools.docker_session import LIMITS, Session, docker_session

pytestmark = pytest.mark.docker


@pytest.fixture
async def session(tmp_path: Path) -> AsyncIterator[Session]:
    async with docker_session(tmp_path) as session:
        yield session


async def test_a_bug_is_found_mended_and_tested(session: Session) -> None:
    await session.call("write_file", path="calc.py", content="def add(a, b):\n    return a - b\n")
    check = "python3 -c 'from calc import add; assert add(1, 2) == 3'"
    failed = await session.call("bash", command=check)
    assert failed.text.endswith("AssertionError\n[exit code 1]")
    read = await session.call("read_file", path="calc.py")
    assert read.text == "     1\tdef add(a, b):\n     2\t    return a - b"
    edits = [{"old": "a - b", "new": "a + b"}]
    edited = await session.call("edit_file", path="calc.py", edits=edits)
    assert edited.changed == ("calc.py",)
    assert (await session.call("bash", command=check)).text == "(no output)"
    assert (session.workspace / "calc.py").read_text() == "def add(a, b):\n    return a + b\n"
    computed = await session.call("python", code="from calc import add\nadd(20, 22)")
    assert computed.text == "42"


async def test_an_edit_of_the_same_size_is_run_at_once(session: Session) -> None:
    check = "python3 -c 'from calc import add; print(add(1, 2))'"
    await session.call("write_file", path="calc.py", content="def add(a, b): return a * b\n")
    for old, new, answer in (("*", "-", "-1"), ("-", "+", "3"), ("+", "*", "2")):
        edits = [{"old": f"a {old} b", "new": f"a {new} b"}]
        await session.call("edit_file", path="calc.py", edits=edits)
        assert (await session.call("bash", command=check)).text == answer


async def test_the_shell_outlives_its_commands(session: Session) -> None:
    await session.call("bash", command="mkdir -p src && cd src && export NAME=value")
    timed_out = await session.call("bash", command="echo begun; sleep 60", timeout=1)
    assert timed_out.error == "timeout"
    assert timed_out.text.startswith("begun\n")
    assert timed_out.text.endswith("[timed out after 1 s; the shell and its state are kept]")
    kept = await session.call("bash", command="pwd; echo $NAME")
    assert kept.text == "/workspace/src\nvalue"
    ended = await session.call("bash", command="exit 3")
    assert "[exit code 3]\n[" in ended.text
    assert "lost" in ended.text


async def test_endings_are_told_in_words(session: Session) -> None:
    assert (await session.call("bash", command="cat; read x; echo $?")).text == "1"
    segfault = await session.call(
        "bash", command="python3 -c 'import os; os.kill(os.getpid(), 11)'"
    )
    assert "(SIGSEGV)" in segfault.text
    eaten = await session.call("bash", command="python3 -c 'x = bytearray(2 << 30)'")
    assert "the memory limit was reached" in eaten.text
    held = await session.call("bash", command="sleep 60 & echo started")
    assert held.text.startswith("started")
    assert "background process still holds" in held.text


async def test_what_wants_a_person_ends_with_a_hint(session: Session) -> None:
    hint = "[it seems to have wanted input or a terminal, and there is none"
    await session.call("bash", command="git init -q && git config user.email a@b && touch a")
    await session.call("bash", command="git config user.name a && git add a")
    for command in ("python3 -c 'input()'", "git commit", "top", "less a < /dev/tty"):
        assert hint in (await session.call("bash", command=command)).text, command
    assert hint in (await session.call("python", code="input()")).text


async def test_limits_that_were_hit_are_named(session: Session) -> None:
    many = await session.call("bash", command="for i in $(seq 600); do sleep 6 & done")
    assert "[the limit on processes was reached: some could not be started]" in many.text
    full = await session.call("bash", command="head -c 100M /dev/zero > /tmp/full")
    assert "No space left on device\n[exit code 1]\n[/tmp is full]" in full.text


async def test_jobs_run_beside_commands_and_their_end_is_told(session: Session) -> None:
    await session.call("bash", command="mkdir site && cd site && export GREETING=hello")
    serve = "echo $GREETING; exec python3 -m http.server 8000 2>&1"
    assert (await session.call("bash", command=serve, background=True)).text == "Started job 1."
    fetch = "curl -sS --retry 20 --retry-connrefused --retry-delay 1 -o /dev/null 127.0.0.1:8000"
    assert (await session.call("bash", command=fetch)).exit_code == 0
    read = await session.call("jobs", action="read", id=1)
    assert read.text.startswith("hello\n")
    assert '"GET / HTTP/1.1" 200' in read.text
    await session.call("bash", command="sleep 0.3; exit 7", background=True)
    told = await session.call("bash", command="sleep 1; pwd")
    assert told.text == "/workspace/site\n[job 2 ended with exit code 7: sleep 0.3; exit 7]"
    stopped = await session.call("jobs", action="stop", id=1)
    assert stopped.text.endswith(f"[job 1 was stopped: {serve}]")
    refused = await session.call("bash", command="curl -sS 127.0.0.1:8000")
    assert refused.exit_code == 7


async def test_a_flood_of_output_is_cut_and_counted(session: Session) -> None:
    result = await session.call("bash", command="seq 100000000", timeout=300)
    assert result.text.startswith("1\n2\n")
    assert "of them lost to the output limit ...]\n" in result.text
    assert result.text.endswith("\n99999999\n100000000")
    assert result.cut is not None
    shown = sum(len(line) + 1 for line in result.text.split("\n") if line.isdigit())
    assert result.cut.bytes + shown == 888_888_898
    assert len(result.full or b"") == LIMITS.output


async def test_files_that_are_none_are_refused(session: Session) -> None:
    for path, kind in {
        "missing.py": "not_found",
        ".": "is_directory",
        "/dev/zero": "not_a_file",
        "a\0b": "invalid_path",
    }.items():
        assert (await session.call("read_file", path=path)).error == kind, path
    await session.call("bash", command="mkfifo pipe")
    assert (await session.call("read_file", path="pipe")).error == "not_a_file"


async def test_large_files_pass_through_the_tools(session: Session) -> None:
    content = "".join(f"value_{n} = {n}\n" for n in range(400_000))
    written = await session.call("write_file", path="big.py", content=content)
    assert written.text == f"Created big.py: 400,000 lines, {len(content):,} bytes."
    edits = [{"old": "value_399999 = 399999", "new": "last = 0"}]
    await session.call("edit_file", path="big.py", edits=edits)
    read = await session.call("read_file", path="big.py", offset=400_000)
    assert read.text.startswith("400000\tlast = 0")


async def test_there_is_no_network_by_default(session: Session) -> None:
    result = await session.call("bash", command="curl -sS --max-time 5 http://example.com")
    assert result.exit_code
