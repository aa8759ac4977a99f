"""The interpreter's own process: runs the code it is handed, shows the last expression's value.

Plain python and not IPython: it is the same in every image and ready in 20 ms instead of 400.
It is a script: `repl.py TEXT OUTPUT CONTROL_FD WORKSPACE`.

Code may replace what any module holds, often by accident (a mock that stays). So what is called
here once code has run is bound to names of this file, builtins with it. That is not a wall: code
that means to can reach everything in its own process, and say of itself what it likes.
"""

from __future__ import annotations

import builtins
import linecache
import os
import sys
import types

# `signal` is python around this, and calls builtins that code may have replaced.
from _signal import SIG_IGN, SIGINT, default_int_handler, signal  # type: ignore[import-not-found]
from ast import Expr, Expression, PyCF_ALLOW_TOP_LEVEL_AWAIT, PyCF_ONLY_AST
from os import _exit, close, dup2, getcwdb, getpid, read, write
from os import open as open_fd
from traceback import format_exception
from typing import Any

# What is defined from here on looks its builtins up in a copy (python 3.9 does not).
globals()["__builtins__"] = dict(vars(builtins))

PLOTS = "plots"
_CO_COROUTINE = 0x80
HINT = "This is plain Python: for shell commands use the bash tool.\n"


class Repl:
    """One namespace, one piece of code after another."""

    def __init__(self, workspace: str) -> None:
        self._workspace = workspace
        self._count = 0
        self._plots = 0
        self._loop: Any = None
        self._module = types.ModuleType("__main__")
        self._module.__dict__["__builtins__"] = builtins
        sys.modules["__main__"] = self._module
        sys.argv = [""]
        sys.path[0] = ""
        os.environ.setdefault("MPLBACKEND", "Agg")

    def run(self, source: str) -> int:
        """Run the code; what it shows goes to stdout. Returns the exit code."""
        self._count += 1
        name = f"<cell {self._count}>"
        lines = source.splitlines(keepends=True)
        linecache.cache[name] = (len(source), None, lines, name)
        try:
            return self._execute(source, name)
        except BaseException as error:
            _show_error(error, source)
            return 1
        finally:
            self._save_plots()
            _flush()

    def _execute(self, source: str, name: str) -> int:
        tree: Any = compile(source, name, "exec", PyCF_ONLY_AST, dont_inherit=True)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], Expr) else None
        try:
            if tree.body:
                self._evaluate(tree, name, "exec")
            if last is not None:
                self._show(self._evaluate(Expression(last.value), name, "eval"))
        except SystemExit as error:
            return _exit_code(error)
        return 0

    def _show(self, value: Any) -> None:
        if value is not None:
            self._module.__dict__["_"] = value
            _say(1, f"{value!r}\n")

    def _evaluate(self, tree: Any, name: str, mode: str) -> Any:
        code = compile(tree, name, mode, PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        value = eval(code, self._module.__dict__)
        if code.co_flags & _CO_COROUTINE:
            if self._loop is None:
                import asyncio

                self._loop = asyncio.new_event_loop()
                asyncio.set_event_loop(self._loop)
            value = self._loop.run_until_complete(value)
        return value

    def _save_plots(self) -> None:
        """Save open figures where the workspace shows them, name them, and close them."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        try:
            for number in pyplot.get_fignums():
                self._save_plot(pyplot, number)
            pyplot.close("all")
        except Exception as error:
            _say(1, f"[plots not saved: {error}]\n")

    def _save_plot(self, pyplot: Any, number: int) -> None:
        folder = os.path.join(self._workspace, PLOTS)
        try:
            os.makedirs(folder, exist_ok=True)
            path = self._next_plot(folder)
            pyplot.figure(number).savefig(path)
            _say(1, f"[plot saved: {os.path.relpath(path, self._workspace)}]\n")
        except Exception as error:
            _say(1, f"[plot not saved: {error}]\n")

    def _next_plot(self, folder: str) -> str:
        while True:
            self._plots += 1
            path = os.path.join(folder, f"plot-{self._plots}.png")
            if not os.path.exists(path):
                return path


def _exit_code(error: SystemExit) -> int:
    code: Any = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return int.__and__(code, 0xFF)
    _say(2, f"{code}\n")
    return 1


def _show_error(error: BaseException, source: str) -> None:
    """Print the traceback from the user's code on; our own frames say nothing."""
    shown = error.__traceback__
    while shown is not None and shown.tb_frame.f_code.co_filename == __file__:
        shown = shown.tb_next
    if isinstance(error, SyntaxError):
        shown = None
    try:
        text = "".join(format_exception(type(error), error, shown))
    except Exception:  # it is made with what code may have replaced
        text = f"{type(error).__name__} (its traceback cannot be shown)\n"
    _say(2, text)
    if isinstance(error, SyntaxError) and source.lstrip().startswith(("!", "%")):
        _say(2, HINT)


def _say(fd: int, text: str) -> None:
    """Write behind what was printed, whatever `sys.stdout` and `sys.stderr` are by now."""
    _flush()
    data = memoryview(str.encode(text, "utf-8", "backslashreplace"))
    while data:
        data = data[write(fd, data) :]


def _flush() -> None:
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except Exception:  # it is closed, or no file at all
            continue


def _serve(text_path: str, output_path: str, control: int, workspace: str) -> None:
    os.set_inheritable(control, False)
    commands = os.dup(0)
    null = open_fd("/dev/null", os.O_RDWR)
    dup2(null, 0)
    repl = Repl(workspace)
    process = getpid()
    flags = os.O_WRONLY
    while True:
        signal(SIGINT, SIG_IGN)
        token = read(commands, 64).strip()
        if not token:
            return
        with open(text_path, encoding="utf-8", errors="replace") as file:
            source = file.read()
        output = open_fd(output_path, flags)
        dup2(output, 1)
        dup2(output, 2)
        close(output)
        exit_code = _run(repl, source)
        if getpid() != process:  # a fork of the user's code that came back
            _exit(exit_code)
        dup2(null, 1)
        dup2(null, 2)
        _answer(control, exit_code, token)


def _run(repl: Repl, source: str) -> int:
    """Run the code; it alone can be interrupted."""
    try:
        signal(SIGINT, default_int_handler)
        exit_code = repl.run(source)
        signal(SIGINT, SIG_IGN)
    except BaseException as error:
        signal(SIGINT, SIG_IGN)
        if not isinstance(error, KeyboardInterrupt):
            _show_error(error, source)
        return 1
    return exit_code


def _answer(control: int, exit_code: int, token: bytes) -> None:
    try:
        cwd = getcwdb()
    except OSError:
        cwd = b""
    with open("/proc/thread-self/children", "rb") as file:
        children = bool(file.read().strip())
    write(control, b"%d %d %s %s\0" % (exit_code, children, cwd, token))


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
