"""The `sii` command whose tool freezes the interpreter in C, as a program.

`python -m tests.hostile.frozen_sii FILE …` runs `sii …`. Its model makes one call that is good and
one whose text is searched by a regular expression that takes longer than the universe lasts. FILE
is made before that.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sii_cli.batch import batch
from sii_cli.batch.running.servers import ModelServers
from sii_cli.batch.sessions.executor import LocalExecutor
from sii_cli.batch.sessions.session_parts import SessionParts
from sii_cli.main import main
from sii_cli.model.endpoints import Load
from sii_cli.reexecution import prepare
from tests.fakes.scripted_model import ScriptedModel, answer
from tests.sii_cli import scripted_sii
from tools.base import Emit, ToolResult
from tools.bash import Bash


def freeze(begun: Path) -> None:
    run = Bash.run

    async def frozen(self: Bash, params: Any, emit: Emit) -> ToolResult:
        if "freeze" not in params.command:
            return await run(self, params, emit)
        begun.touch()  # noqa: ASYNC240
        re.search(r"(a|a)*b", "a" * 100)
        raise AssertionError

    Bash.run = frozen  # type: ignore[method-assign]


async def _idle(self: ModelServers) -> Load:
    return Load(0, 0)


def _scripted_executor(parts: SessionParts, ray: str | None) -> LocalExecutor:
    model = ScriptedModel(*scripted_sii.SCRIPTS["freeze"])
    return LocalExecutor(
        parts, make_model=lambda settings: model, backend=scripted_sii.FakeBackend()
    )


if __name__ == "__main__":
    freeze(Path(sys.argv.pop(1)))
    scripted_sii.SCRIPTS["freeze"] = [
        scripted_sii.bash("echo good"),
        scripted_sii.bash("freeze"),
        answer("Never."),
    ]
    scripted_sii.pretend("freeze")
    patch.object(batch, "make_executor", _scripted_executor).start()
    ModelServers.current_load = _idle  # type: ignore[method-assign]
    patch.object(prepare, "make_backend", lambda settings: scripted_sii.FakeBackend()).start()
    main()
