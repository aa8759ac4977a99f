"""Programs of the host, and sii's own child processes: no file of a workspace can replace them.

A `PATH` such as `.:/usr/bin`, or with the `node_modules/.bin` of a project in it, would find the
program that somebody's repository, or the model, put there.
"""

from __future__ import annotations

import os
import sys

_RUN_SCRIPT = """\
import sys
sys.path[:] = sys.argv[1].split(":")
del sys.argv[:2]
import runpy
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def find_program(name: str) -> str | None:
    """Return where a program is, by the safe part of PATH, or None when it is in none of these."""
    for folder in _own(safe_folders(os.environ.get("PATH", os.defpath))):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def python_command(script: str, *arguments: str) -> list[str]:
    """Return the command of a child that runs a script of sii's with this process' imports.

    It looks for modules where this process does, the working directory apart: neither the
    environment nor a `sitecustomize` says otherwise.
    """
    folders = [entry for entry in sys.path if os.path.isabs(entry)]
    where = os.pathsep.join(entry for entry in folders if not _is_same(entry, os.curdir))
    return [sys.executable, "-I", "-S", "-c", _RUN_SCRIPT, where, script, *arguments]


def safe_path() -> str:
    """Return PATH without what `find_program` does not look at."""
    return os.pathsep.join(_own(safe_folders(os.environ.get("PATH", os.defpath))))


def safe_folders(folders: str, workspace: str = os.curdir) -> list[str]:
    """Return the folders of a list such as PATH that are absolute and not of a workspace.

    Those below it are left out as well, for whatever works there can write them; unless the python
    that runs us lies there itself.
    """
    holds_us = is_below(sys.prefix, workspace)
    is_of_it = _is_same if holds_us else is_below
    return [
        folder
        for folder in folders.split(os.pathsep)
        if os.path.isabs(folder) and not is_of_it(folder, workspace)
    ]


def is_below(path: str, folder: str) -> bool:
    """Whether a path is a folder or lies in it, once links are followed."""
    try:
        real, top = os.path.realpath(path), os.path.realpath(folder)
    except OSError:  # the working directory is gone
        return False
    return real == top or real.startswith(os.path.join(top, ""))


def _is_same(path: str, folder: str) -> bool:
    try:
        return os.path.samefile(path, folder)
    except OSError:
        return False


def _own(folders: list[str]) -> list[str]:
    """Add what lies beside the python that runs us, wherever it was installed: it is trusted."""
    beside = os.path.dirname(sys.executable)
    return folders if beside in folders else [*folders, beside]
