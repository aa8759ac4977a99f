"""The panel above the input line: the model's list of tasks, its jobs, or what changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from recordings.events import Event, FileChange, Observation, Snapshot
from sandbox.protocol import Job
from sii_cli.agent.event_channel import Item
from sii_cli.render.changes import change_words
from sii_cli.render.observations import TODO_MARKS, todo_lines
from sii_cli.render.wrap import cut
from sii_cli.text.sanitise import one_line
from tools.command_text import job_state

Tab = Literal["todos", "jobs", "changes"]
TABS: tuple[Tab, ...] = ("todos", "jobs", "changes")
DONE = TODO_MARKS["done"]
MAX_ROWS = 8
"""Rows of the panel, its title included."""


class Panel:
    """Follows the items of a session. The list of tasks is shown unasked while one is open."""

    def __init__(self) -> None:
        self.tab: Tab | None = "todos"
        """What is shown; `None`: nothing."""
        self._asked = False
        self._todos: list[str] = []
        self._changes: dict[str, FileChange] = {}

    def feed(self, item: Item) -> None:
        """Follow one item."""
        if not isinstance(item, Event):
            return
        match item.data:
            case Observation(name="todo") as observation:
                self._todos = todo_lines(observation)
            case Snapshot(cause="step") as snapshot:
                self._add(snapshot.changes)

    def clear(self) -> None:
        """Forget what another session did; the tab stays."""
        self._todos = []
        self._changes.clear()

    def show(self, tab: Tab) -> None:
        """Show a tab."""
        self._asked, self.tab = True, tab

    def turn(self) -> None:
        """Show the next tab; nothing after the last one."""
        self._asked = True
        if self.tab is None:
            self.tab = TABS[0]
            return
        following = TABS.index(self.tab) + 1
        self.tab = TABS[following] if following < len(TABS) else None

    def rows(self, jobs: Sequence[Job], width: int) -> list[str]:
        """Return what is shown, its title first; `jobs` are those of the sandbox."""
        if self.tab is None:
            return []
        lines, nothing = self._lines(self.tab, jobs)
        if not self._asked and all(line.startswith(DONE) for line in lines):
            return []
        title = " · ".join(f"[{tab}]" if tab == self.tab else tab for tab in TABS)
        rows = [f"{title} (Ctrl-T)", *_most(lines, MAX_ROWS - 1)] if lines else [title, nothing]
        return [cut(row, max(1, width)) for row in rows]

    def _lines(self, tab: Tab, jobs: Sequence[Job]) -> tuple[list[str], str]:
        """Return the lines of a tab, and what is said when it has none."""
        match tab:
            case "todos":
                return self._todos, "The model has no list of tasks."
            case "jobs":
                return list(map(_job, jobs)), "There are no jobs."
            case "changes":
                changes = list(map(change_words, self._changes.values()))
                return changes, "Nothing in the workspace was changed."

    def _add(self, changes: Sequence[FileChange]) -> None:
        """Add up what the steps changed, the latest last."""
        for change in changes:
            before = self._changes.pop(change.path, None)
            self._changes[change.path] = change if before is None else before.then(change)


def _job(job: Job) -> str:
    """Return the state of a job, with the ports that it listens on."""
    state = one_line(job_state(job), 200)
    if not job.running or not job.ports:
        return state
    return f"{', '.join(f'port {port}' for port in job.ports)} · {state}"


def _most(lines: list[str], most: int) -> list[str]:
    """Return the last lines, and how many there are before them."""
    left = len(lines) - most
    return lines if left <= 0 else [f"… {left + 1} more", *lines[left + 1 :]]
