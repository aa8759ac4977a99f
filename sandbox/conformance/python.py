"""The session's interpreter: state, values shown, errors trimmed, interrupts, crashes, plots."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.protocol import Sandbox

pytestmark = pytest.mark.asyncio


async def test_state_lives_on_and_the_last_expression_is_shown(sandbox: Sandbox) -> None:
    await sandbox.python("import math\nx = 20\ndef f(n):\n    return n + 1")
    result = await sandbox.python("print('said')\nf(x)")
    assert result.output == b"said\n21\n"
    assert result.exit_code == 0


async def test_none_is_not_shown_and_await_works(sandbox: Sandbox) -> None:
    code = "import asyncio\nasync def g():\n    await asyncio.sleep(0)\n    return 5\nawait g()"
    assert (await sandbox.python(code)).output == b"5\n"
    assert (await sandbox.python("None")).output == b""


async def test_a_traceback_shows_the_users_code_only(sandbox: Sandbox) -> None:
    await sandbox.python("def f():\n    return 1 / 0")
    result = await sandbox.python("f()")
    text = result.output.decode()
    assert result.exit_code == 1
    assert "return 1 / 0" in text
    assert "ZeroDivisionError: division by zero" in text
    assert "repl.py" not in text


async def test_a_syntax_error_is_short_and_shell_escapes_get_a_hint(sandbox: Sandbox) -> None:
    result = await sandbox.python("!ls")
    assert b"SyntaxError" in result.output
    assert b"bash tool" in result.output
    assert b"repl.py" not in result.output


async def test_output_of_child_processes_is_caught(sandbox: Sandbox) -> None:
    result = await sandbox.python("import os\nprint('a')\nos.system('echo b')\nprint('c')")
    assert result.output == b"a\nb\nc\n"


@pytest.mark.parametrize(
    "code", ["while True: pass", "import time; time.sleep(60)", "import os; os.system('sleep 60')"]
)
async def test_the_time_limit_interrupts_and_keeps_the_state(sandbox: Sandbox, code: str) -> None:
    await sandbox.python("x = 3")
    result = await sandbox.python(code, timeout=0.3)
    assert result.timed_out
    assert result.lost_state is None
    assert (await sandbox.python("x")).output == b"3\n"
    assert (await sandbox.bash("pgrep -x sleep")).output == b""


async def test_code_that_ignores_the_interrupt_ends_the_interpreter(sandbox: Sandbox) -> None:
    code = "import signal\nsignal.signal(2, signal.SIG_IGN)\nwhile True: pass"
    result = await sandbox.python(code, timeout=1.0)
    assert result.timed_out
    assert result.lost_state is not None
    assert (await sandbox.python("1 + 1")).output == b"2\n"


async def test_a_crash_is_reported_and_the_next_call_works(sandbox: Sandbox) -> None:
    result = await sandbox.python("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")
    assert result.signal == 11
    assert "variables" in (result.lost_state or "")
    assert (await sandbox.python("1 + 1")).output == b"2\n"


async def test_exit_gives_its_code_and_keeps_the_state(sandbox: Sandbox) -> None:
    await sandbox.python("x = 3")
    assert (await sandbox.python("import sys\nsys.exit(4)")).exit_code == 4
    assert (await sandbox.python("x")).output == b"3\n"


async def test_a_restart_begins_empty(sandbox: Sandbox) -> None:
    await sandbox.python("x = 3")
    result = await sandbox.python("'x' in globals()", restart=True)
    assert result.output == b"False\n"


async def test_plots_are_saved_into_the_workspace_and_named(
    sandbox: Sandbox, workspace: Path
) -> None:
    if (await sandbox.python("import matplotlib")).exit_code:
        pytest.skip("matplotlib is not installed here")
    result = await sandbox.python("import matplotlib.pyplot as plt\nfig = plt.plot([1, 2])")
    assert result.exit_code == 0, result.output
    assert result.output == b"[plot saved: plots/plot-1.png]\n"
    assert (workspace / "plots/plot-1.png").read_bytes().startswith(b"\x89PNG")


async def test_input_ends_at_once(sandbox: Sandbox) -> None:
    result = await sandbox.python("input('name? ')")
    assert b"EOFError" in result.output


@pytest.mark.parametrize(
    "code",
    [
        "import json; json.dumps = lambda *_: '{}'",
        "import os; os.write = lambda *_: 0",
        "import os; os.open = os.read = os.dup2 = os.close = None",
        "import os; os.getpid = lambda: 1",
        "import signal; signal.signal = None",
        "import ast, traceback; ast.parse = traceback.print_exception = None",
        "import builtins; builtins.open = builtins.compile = builtins.isinstance = None",
        "import sys; sys.stdout = sys.stderr = None",
        "import sys; sys.modules.clear()",
    ],
)
async def test_what_code_replaces_costs_neither_state_nor_answers(
    sandbox: Sandbox, code: str
) -> None:
    await sandbox.python("x = 3")
    result = await sandbox.python(code, timeout=5)
    assert (result.exit_code, result.lost_state, result.timed_out) == (0, None, False)
    assert (await sandbox.python("x")).output == b"3\n"
    failed = await sandbox.python("1 / 0")
    assert failed.exit_code == 1
    assert b"ZeroDivisionError" in failed.output


@pytest.mark.parametrize(
    ("ending", "exit_code"),
    [
        ("class Odd(int):\n    def __and__(self, other): return 'x'\nsys.exit(Odd(259))", 3),
        ("class Odd:\n    def __str__(self): raise ValueError('odd')\nsys.exit(Odd())", 1),
        ("sys.modules['matplotlib.pyplot'] = sys", 0),
        ("sys.settrace(lambda *_: 1 / 0)", 1),
    ],
)
async def test_an_odd_end_is_no_end_of_the_interpreter(
    sandbox: Sandbox, ending: str, exit_code: int
) -> None:
    result = await sandbox.python(f"import sys\nx = 3\n{ending}")
    assert (result.exit_code, result.lost_state) == (exit_code, None)
    assert (await sandbox.python("x")).output.startswith(b"3\n")
