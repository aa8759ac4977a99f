"""Serves a tiny GLM by a real vLLM, and sees to it that nothing of it outlives the tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.tiny_glm.conversations import SYSTEM_PROMPT, TOOLS
from tests.tiny_glm.environment import ensure_environment

Form = Literal["glm45", "glm47"]
"""Which generation's chat format the model speaks."""

MODEL_NAME = "glm"
MAX_MODEL_LEN = 4096
START_SECONDS = 300.0
STOP_SECONDS = 15.0

GUARD = """
exec 3<&0
"$@" </dev/null &
server=$!
{ read -r _ <&3; kill "$server"; sleep 10; kill -KILL 0; } &
wait "$server"
kill -KILL 0
"""
"""Ends the whole process group (vLLM's engine runs in children of its own) when the server ends,
or when stdin does: when its owner stops it or dies."""


@dataclass(frozen=True, slots=True)
class TinyGlmServer:
    """A running server."""

    base_url: str
    form: Form
    folder: str
    """The model's files, with what it was trained on."""
    log: str
    model: str = MODEL_NAME
    group: int = 0
    """The process group that it runs in."""

    @property
    def environment(self) -> dict[str, str]:
        """The settings with which sii finds the server and sends what the model was trained on."""
        return {
            "SII_BASE_URL": self.base_url,
            "SII_SYSTEM_PROMPT": str(SYSTEM_PROMPT),
            "SII_TOOLS": ",".join(TOOLS),
        }


class ServerFailed(RuntimeError):
    """The server did not start; the message ends with the last of its log."""


@contextmanager
def serve(
    model: Path, form: Form, log: Path, *, strict_tool_calls: bool = True, port: int | None = None
) -> Iterator[TinyGlmServer]:
    """Serve the model in `model` on a free port (or the one given) while the context lasts.

    `strict_tool_calls` is vLLM's own default: calls are forced into GLM-4.7's form.
    """
    port = port or free_port()
    command = [str(ensure_environment()), "-m", "vllm.entrypoints.cli.main", "serve", str(model)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", MODEL_NAME]
    command += ["--tool-call-parser", form, "--reasoning-parser", "glm45"]
    command += ["--enable-auto-tool-choice", "--enable-prompt-tokens-details"]
    command += ["--dtype", "float32", "--enforce-eager", "--max-model-len", str(MAX_MODEL_LEN)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-c", GUARD, "guard", *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(strict_tool_calls),
            start_new_session=True,
        )
    try:
        _wait_until_healthy(process, port, log)
        base_url = f"http://127.0.0.1:{port}/v1"
        yield TinyGlmServer(base_url, form, str(model), str(log), group=process.pid)
    finally:
        _stop(process)


def _environment(strict_tool_calls: bool) -> dict[str, str]:
    return os.environ | {
        "HF_HUB_OFFLINE": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_ENFORCE_STRICT_TOOL_CALLING": str(int(strict_tool_calls)),
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_TARGET_DEVICE": "cpu",
    }


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_healthy(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerFailed(f"vLLM ended while it started; {log} ends:\n{_tail(log)}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.25)
    raise ServerFailed(f"vLLM did not start in {START_SECONDS:.0f} s; {log} ends:\n{_tail(log)}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Let the guard end the server, and make sure of the rest."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tail(log: Path) -> str:
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-20:])
