"""`sii serve` with the real vLLM for the CPU: it loads, is found, answers, and leaves nothing."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from recordings.conversation.messages import encode_message
from sii_cli.config.running_server import running_server
from sii_cli.model.types import STREAMING, ChatRequest, Completion
from sii_cli.model.vllm import VllmModel
from tests.tiny_glm.build import ensure_model
from tests.tiny_glm.environment import ensure_environment

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

PATIENCE = 300.0
FLAGS = ["--dtype", "float32", "--enforce-eager", "--max-model-len", "2048"]


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def processes_with(mark: str) -> list[int]:
    """The processes that have this in their environment, as all of a server's have."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (path / "environ").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue
    return found


def test_nothing_is_left_of_a_real_server_when_the_command_is_killed(tmp_path: Path) -> None:
    """The hardest end: nobody is there to end the group; vLLM must hear of it and end its engine.

    The ends by a signal are in `test_serve.py`: there the command ends the whole group itself.
    """
    model = ensure_model("glm47")
    mark = f"SII_TEST_MARK={tmp_path}"
    env = os.environ | {"SII_HOME": str(tmp_path), "SII_TEST_MARK": str(tmp_path)}
    env |= {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    command = [sys.executable, "-m", "sii_cli.main", "serve", str(model)]
    command += ["--vllm", str(ensure_environment()), "--", *FLAGS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        lines: list[str] = []
        assert process.stdout is not None
        reader = threading.Thread(target=lines.extend, args=(process.stdout,), daemon=True)
        reader.start()
        wait_until(lambda: running_server(tmp_path) is not None or process.poll() is not None)
        base_url = running_server(tmp_path)
        assert base_url is not None, lines
        assert asyncio.run(answers(base_url))
        assert len(processes_with(mark)) >= 3, "the command, the server and its engine"
        process.kill()
        process.wait(60)
        wait_until(lambda: not processes_with(mark))
    reader.join(10)
    assert any(re.match(r"ready after \d+ s: .* at http", line) for line in lines)
    assert running_server(tmp_path) is None


async def answers(base_url: str) -> bool:
    """Whether one call of the model comes back whole."""
    model = VllmModel(base_url=base_url)
    served = await model.describe()
    hello = encode_message({"role": "user", "content": "Hi"})
    params = {"model": served.name, **STREAMING, "max_tokens": 4}
    request = ChatRequest("sii-serve", [hello], None, params)
    parts = [part async for part in model.stream(request)]
    await model.aclose()
    return isinstance(parts[-1], Completion)
