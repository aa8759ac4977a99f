"""The `sii` command with a scripted model and a sandbox without an engine, as a program.

`python -m tests.sii_cli.scripted_sii NAME …` runs `sii …` with the scripts of that name. Only
what answers is a fake: the command line, the prompt, the session and the recording are real.
Where `KILL_AT` names a function (`module:name`), its call kills the process as kill -9 does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from importlib import import_module
from threading import Event
from typing import Any
from unittest.mock import patch

from sandbox.protocol import Sandbox, SandboxSpec, SandboxUnavailable
from sandbox.snapshots.errors import Stopped
from sandbox.snapshots.scan import NotKept, Scanner
from sii_cli.config.settings import Settings, find_home
from sii_cli.main import main
from sii_cli.model.errors import ModelCallFailed
from sii_cli.model.types import Delta, RequestStarted, ServedModel
from sii_cli.session import session
from tests.fakes.fake_sandbox import FakeSandbox, new_root
from tests.fakes.scripted_model import Script, ScriptedModel, _completion, answer, calls, fails


def words(text: str, *, reasoning: str = "", pause: float = 0.0) -> Script:
    """An answer that streams word by word."""
    parts: Script = [RequestStarted(1)]
    for kind, said in (("reasoning", reasoning), ("content", text)):
        for word in said.split(" ") if said else []:
            parts += [Delta(kind, word + " "), pause]  # type: ignore[arg-type]
    return [*parts, _completion(text, reasoning, ())]


def bash(command: str) -> Script:
    return calls(("bash", json.dumps({"command": command})))


SCAN = Scanner.scan
TASKS = [
    {"content": "Read the tests", "status": "done"},
    {"content": "Mend the sum", "status": "in_progress"},
    {"content": "Run them", "status": "pending"},
]
RICH = """\
## 表 and 🌍

| file | 説明 | ± |
|---|---|---:|
| ledger/money.py | 端数を残す 🧮 | +2 −2 |
| README.md | words | +11 |

```python
share, left = divmod(total, parts)  # 余り
return [share + (part < left) for part in range(parts)]
```

- first 一
- second"""
SCRIPTS: dict[str, list[Script]] = {
    "hello": [answer("Hello **there**.", reasoning="Greet.")],
    "sum": [answer("A long story. " * 40), answer("The story in short."), answer("After.")],
    "two": [answer("First."), answer("Second.")],
    "work": [
        bash("printf 'one\\ntwo\\n'; seq 3 40"),
        words("All **done**.\n\n- a\n- b", reasoning="That went well."),
    ],
    "undo": [bash("echo new > made.txt"), answer("Made.")],
    "made": [answer("Seen.")],
    "rich": [words(RICH, reasoning="\n".join(f"thought {n}" for n in range(9)))],
    "parallel": [
        calls(
            *((("bash", json.dumps({"command": f"sleep 0.{3 - n}; echo {n}"}))) for n in range(3))
        ),
        answer("All three."),
    ],
    "slow-snapshots": [bash("echo new > made.txt"), words("All done.", pause=60)],
    "push": [
        bash("echo pushed"),
        answer("Pushed."),
        bash("echo pushed"),
        answer("Pushed again."),
    ],
    "two-steps": [
        bash("echo first step; sleep 2"),
        bash("echo second step"),
        answer("After both."),
    ],
    "two-models": [answer("First."), answer("Second.")],
    "pushed": [answer("Pushed.")],
    "tasks": [
        calls(("todo", json.dumps({"todos": TASKS}))),
        bash("seq 100"),
        words("Half done.", reasoning="\n".join(f"line {n} of the thought" for n in range(40))),
    ],
    "slow": [words("word " * 400, pause=0.05), answer("After.")],
    "steps": [bash("sleep 2"), bash("sleep 1"), answer("All done."), answer("After.")],
    "slow-tool": [bash("echo begun; sleep 30"), answer("After.")],
    "slow-second": [bash("sleep 1"), words("word " * 400, pause=0.05)],
    "slow-summary": [answer("A long story. " * 40), words("word " * 400, pause=0.05)],
    "freeze-at-replay": [bash("echo good"), bash("echo freeze"), answer("Done.")],
    "flood": [answer("word\n" * 400_000), answer("After.")],
    "long": [answer("word " * 200_000)],
    "summed-up": [answer("A summary."), answer("Hello again.")],
    "paced": [words("one two three four five", pause=0.2)],
    "hostile": [
        bash(r"printf '\033]0;owned\007\033[31mred\033[0m \302\233 [bold]x[/bold]\n'"),
        words("An \x1b[2J escape and \u202e more [red]x[/red]."),
    ],
    "retry": [[RequestStarted(1), fails("connect", retry_in=1.5), 1.5, *answer("Back.")]],
    "slow-retry": [[RequestStarted(1), fails("connect", retry_in=60.0), 60.0]],
    "broken": [[RequestStarted(1), fails("connect")]],
    "overflow": [[RequestStarted(1), fails("overflow")]],
    "refused": [[RequestStarted(1), fails("unauthorized")]],
    "no-server": [],
    "late-server": [answer("At last.")],
    "other-model": [[RequestStarted(1), fails("unknown_model")]],
    "no-sandbox": [answer("Without hands.")],
    "cites": [
        calls(("web_search", '{"query": "lighthouses"}')),
        answer("Smith et al. (2031) show it."),
    ],
}


class FakeBackend:
    """Gives out sandboxes without an engine."""

    name = "fake"

    async def start(self, spec: SandboxSpec) -> Sandbox:
        return FakeSandbox(new_root(find_home(os.environ)))


class WorkspaceBackend:
    """Gives out sandboxes without an engine that work where the settings say."""

    name = "fake"

    async def start(self, spec: SandboxSpec) -> Sandbox:
        return FakeSandbox(spec.workspace.parent)


class NoBackend:
    """A machine without an engine."""

    name = "none"

    async def start(self, spec: SandboxSpec) -> Sandbox:
        raise SandboxUnavailable("No Docker engine answers: start one.")


_BACKENDS: dict[str, type[FakeBackend | WorkspaceBackend | NoBackend]] = {
    "no-sandbox": NoBackend,
    "undo": WorkspaceBackend,
    "made": WorkspaceBackend,
    "slow-snapshots": WorkspaceBackend,
}


class NoServer(ScriptedModel):
    """A server that is not there."""

    async def describe(self) -> ServedModel:
        raise ModelCallFailed(
            "connect", "No server answers at http://127.0.0.1:8000/v1: start one."
        )


class LateServer(ScriptedModel):
    """A server that answers when it is asked a second time."""

    asked = False

    async def describe(self) -> ServedModel:
        if not self.asked:
            self.asked = True
            raise ModelCallFailed("connect", "No server answers at http://scripted/v1: start one.")
        return await super().describe()


class TwoModels(ScriptedModel):
    """A server of two models, whose template has a switch for thinking."""

    wanted: str | None = None

    async def describe(self) -> ServedModel:
        name = self.wanted or "scripted"
        length = 16384 if name == "other" else 131072
        return ServedModel(name, "http://scripted/v1", length, names=("scripted", "other"))

    async def render(self, body: dict[str, Any]) -> list[int] | None:
        return [body["chat_template_kwargs"].get("enable_thinking") is False]


def make_scripted(model: ScriptedModel, settings: Settings) -> ScriptedModel:
    """Return the model as the settings name it."""
    if isinstance(model, TwoModels):
        model.wanted = settings.model
    return model


def scan_slowly(self: Scanner, stop: Event) -> tuple[str, tuple[NotKept, ...]]:
    """Scan a workspace; once a call has made a file, as long as if it had made very many."""
    if not os.path.lexists("made.txt"):
        return SCAN(self, stop)
    stop.wait(60)
    raise Stopped


def pretend(name: str) -> None:
    """Put the fakes of a script in place of the server's client and of the engine."""
    kinds: dict[str, type[ScriptedModel]] = {
        "no-server": NoServer,
        "late-server": LateServer,
        "two-models": TwoModels,
    }
    kind = kinds.get(name, ScriptedModel)
    model = kind(*SCRIPTS[name])
    backend = _BACKENDS.get(name, FakeBackend)()
    if name == "slow-snapshots":
        patch.object(Scanner, "scan", scan_slowly).start()
    patch.object(session, "make_model", lambda settings: make_scripted(model, settings)).start()
    patch.object(session, "make_backend", lambda settings: backend).start()


def kill_at(name: str) -> None:
    """Let the call of a function kill this process."""
    module, _, path = name.partition(":")
    *owners, last = path.split(".")
    owner: object = import_module(module)
    for one in owners:
        owner = getattr(owner, one)
    patch.object(owner, last, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)).start()


if __name__ == "__main__":
    pretend(sys.argv.pop(1))
    if "KILL_AT" in os.environ:
        kill_at(os.environ["KILL_AT"])
    main()
