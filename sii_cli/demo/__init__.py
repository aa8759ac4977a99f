"""The demo: a task and a workspace shipped with the package, and written responses of a model.

Only the responses are written in advance: loop, sandbox, tools and recording are real.
"""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

TURNS = "turns.jsonl"


def task() -> str:
    """Return the task that the demo sets."""
    return resources.files(__name__).joinpath("task.md").read_text("utf-8").strip()


def make_workspace(folder: Path) -> None:
    """Copy the demo's workspace into an existing empty folder."""
    with resources.as_file(resources.files(__name__) / "workspace") as source:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, folder, dirs_exist_ok=True, ignore=ignore)
