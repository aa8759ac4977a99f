"""The interpreter's own process: runs the code it is handed, shows the last expression's value.

Plain python and not IPython: it is the same in every image and ready in 20 ms instead of 400.
It is a script: `repl.py TEXT OUTPUT CONTROL_FD WORKSPACE`.
"""

from __future__ import annotations

import ast
import json
import linecache
import os
import signal
import sys
import traceback
import types
from typing import Any

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
        self._module.__dict__["__builtins__"] = __builtins__
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
            self._execute(source, name)
        except SystemExit as error:
            return _exit_code(error)
        except BaseException as error:
            _show_error(error, source)
            return 1
        finally:
            self._save_plots()
        return 0

    def _execute(self, source: str, name: str) -> None:
        tree = ast.parse(source, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        if tree.body:
            self._evaluate(tree, name, "exec")
        if isinstance(last, ast.Expr):
            value = self._evaluate(ast.Expression(last.value), name, "eval")
            if value is not None:
                self._module.__dict__["_"] = value
                sys.stdout.write(f"{value!r}\n")

    def _evaluate(self, tree: Any, name: str, mode: str) -> Any:
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(tree, name, mode, flags=flags, dont_inherit=True)
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
        folder = os.path.join(self._workspace, PLOTS)
        for number in pyplot.get_fignums():
            try:
                os.makedirs(folder, exist_ok=True)
                path = self._next_plot(folder)
                pyplot.figure(number).savefig(path)
                sys.stdout.write(f"[plot saved: {os.path.relpath(path, self._workspace)}]\n")
            except Exception as error:
                sys.stdout.write(f"[plot not saved: {error}]\n")
        pyplot.close("all")

    def _next_plot(self, folder: str) -> str:
        while True:
            self._plots += 1
            path = os.path.join(folder, f"plot-{self._plots}.png")
            if not os.path.exists(path):
                return path


def _exit_code(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    sys.stderr.write(f"{error.code}\n")
    return 1


def _show_error(error: BaseException, source: str) -> None:
    """Print the traceback from the user's code on; our own frames say nothing."""
    shown = error.__traceback__
    while shown is not None and shown.tb_frame.f_code.co_filename == __file__:
        shown = shown.tb_next
    if isinstance(error, SyntaxError):
        shown = None
    traceback.print_exception(type(error), error, shown)
    if isinstance(error, SyntaxError) and source.lstrip().startswith(("!", "%")):
        sys.stderr.write(HINT)


def _serve(text_path: str, output_path: str, control: int, workspace: str) -> None:
    os.set_inheritable(control, False)
    commands = os.dup(0)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    repl = Repl(workspace)
    process = os.getpid()
    while True:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        token = os.read(commands, 64).strip()
        if not token:
            return
        with open(text_path, encoding="utf-8", errors="replace") as file:
            source = file.read()
        output = os.open(output_path, os.O_WRONLY)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            exit_code = repl.run(source)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        except KeyboardInterrupt:
            exit_code = 1
        _flush()
        if os.getpid() != process:  # a fork of the user's code that came back
            os._exit(exit_code)
        os.dup2(null, 1)
        os.dup2(null, 2)
        _answer(control, exit_code, token)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue


def _answer(control: int, exit_code: int, token: bytes) -> None:
    try:
        cwd = os.getcwd()
    except OSError:
        cwd = None
    with open("/proc/thread-self/children", "rb") as file:
        children = bool(file.read().strip())
    answer = {"exit_code": exit_code, "cwd": cwd, "children": children}
    os.write(control, json.dumps(answer).encode() + b" " + token + b"\0")


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
