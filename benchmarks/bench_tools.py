"""The file tools' figures in a Docker sandbox, each beside what it is made of, in the same run.

    python -m benchmarks.bench_tools [--rounds 9] [--image NAME]

The tools' calls (arguments as JSON, as a model gives them) beside the sandbox's own calls, and
those beside a plain copy and a hash of the same bytes. Figures of a busy machine are worth
little: run it alone.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.figures import figure
from sandbox.docker.backend import DockerBackend
from sandbox.protocol import Sandbox, SandboxSpec
from tools.toolbox import Toolbox
from tools.web.settings import WebSettings

SIZE = 10_000_000
LINE = "0123456789abcdef" * 5 + "\n"
TEXT = (LINE * (SIZE // len(LINE) + 1))[:SIZE]
OTHER = TEXT.swapcase()


class Tools:
    """Calls of tools over one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        async def provide() -> Sandbox:
            return sandbox

        self._toolbox = Toolbox(["read_file", "write_file", "edit_file"], provide, WebSettings())

    async def call(self, name: str, **arguments: object) -> None:
        await self.call_raw(name, json.dumps(arguments))

    async def call_raw(self, name: str, arguments: str) -> None:
        result = await self._toolbox.call(name, arguments, lambda output: None)
        assert result.error is None, result.text


async def seconds(rounds: int, call: Callable[[int], Awaitable[object]]) -> float:
    """Return the median of a call's times; it is given its number."""
    times = []
    for number in range(rounds):
        begin = time.perf_counter()
        await call(number)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def show(name: str, taken: float, note: str = "") -> None:
    print(f"{name:44} {taken * 1e3:8.1f} ms {SIZE / taken / 1e6:8.0f} MB/s  {note}", flush=True)


async def measure(rounds: int, image: str, workspace: Path) -> None:
    sandbox = await DockerBackend().start(SandboxSpec(workspace=workspace, image=image))
    tools = Tools(sandbox)
    texts = (TEXT, OTHER)
    data = [text.encode() for text in texts]
    writes = [json.dumps({"path": "f", "content": text}) for text in texts]

    async def write_new(number: int) -> None:
        await tools.call("write_file", path=f"new-{number}", content=TEXT)

    async def copy(number: int) -> None:
        (workspace / "copy").write_bytes(data[number % 2])

    async def digest(number: int) -> None:
        hashlib.sha256(data[number % 2]).digest()

    calls: dict[str, Callable[[int], Awaitable[object]]] = {
        "plain write on the host (floor)": copy,
        "sha256 on the host": digest,
        "sandbox.write_file": lambda number: sandbox.write_file("g", data[number % 2]),
        "sandbox.read_file": lambda _: sandbox.read_file("g"),
        "write_file, new": write_new,
        "write_file, other content": lambda number: tools.call_raw(
            "write_file", writes[number % 2]
        ),
        "read_file, first lines": lambda _: tools.call("read_file", path="f"),
        "read_file, last lines": lambda _: tools.call("read_file", path="f", offset=120_000),
    }
    floor = None
    for name, call in calls.items():
        taken = await seconds(rounds, call) * 1e3
        floor = floor or taken
        figure(f"tools: {name}", taken, "ms", floor=floor)
        show(name, taken / 1e3)
    await sandbox.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--image", default="sii-sandbox:latest")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as workspace:
        asyncio.run(measure(arguments.rounds, arguments.image, Path(workspace)))


if __name__ == "__main__":
    main()
