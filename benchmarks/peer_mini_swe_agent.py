"""The same work as `bench_loop.py` with mini-swe-agent 2.4: run with a Python that has it.

Its deterministic model answers in-process: it is spared the HTTP request that `sii` makes.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("MSWEA_SILENT_STARTUP", "1")

from minisweagent.agents.default import DefaultAgent
from minisweagent.environments.docker import DockerEnvironment
from minisweagent.exceptions import Submitted
from minisweagent.models.test_models import DeterministicModel, make_output


class Timed(DockerEnvironment):  # type: ignore[misc] # it is in another environment
    """Notes when each step's command has come back."""

    def __init__(self, **config: object) -> None:
        super().__init__(**config)
        self.ends: list[float] = []

    def execute(self, action: dict[str, Any], cwd: str = "", **options: object) -> dict[str, Any]:
        if action["command"] == "finish":
            raise Submitted({"role": "exit", "content": "done", "extra": {}})
        result: dict[str, Any] = super().execute(action, cwd, **options)
        self.ends.append(time.perf_counter())
        return result


def cpu_seconds() -> float:
    """User and system time of this process and of the children it has waited for."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def many(image: str, steps: int, sessions: int) -> None:
    """Sessions side by side in a thread pool, as mini-swe-agent's own batch runs them."""
    began = time.perf_counter()
    with ThreadPoolExecutor(sessions) as pool:
        marks = list(pool.map(lambda _: run(image, steps)[2], range(sessions)))
    ends = sorted(mark - began for one in marks for mark in one)
    print(json.dumps({"seconds": time.perf_counter() - began, "ends": ends}))


def main(image: str, steps: int) -> None:
    wall, cpu, marks = run(image, steps)
    each = [later - earlier for earlier, later in pairwise(marks)]
    print(json.dumps({"wall": wall / steps, "cpu": cpu / steps, "steps": each}))


def run(image: str, steps: int) -> tuple[float, float, list[float]]:
    commands = [f"true {n}" for n in range(steps)] + ["finish"]
    outputs = [make_output(f"step {n}", [{"command": c}]) for n, c in enumerate(commands)]
    alone = ["--rm", "--network", "none"]  # as sii runs it
    environment = Timed(image=image, cwd="/", interpreter=["bash", "-c"], run_args=alone)
    with tempfile.TemporaryDirectory() as folder:
        agent = DefaultAgent(
            DeterministicModel(outputs=outputs, cost_per_call=0.0),
            environment,
            system_template="You are an agent.",
            instance_template="{{task}}",
            cost_limit=0,
            output_path=Path(folder) / "trajectory.json",
        )
        before, began = cpu_seconds(), time.perf_counter()
        agent.run("count")
        wall, cpu = time.perf_counter() - began, cpu_seconds() - before
    environment.cleanup()
    marks = [began, *environment.ends]
    return wall, cpu, marks


if __name__ == "__main__":
    if len(sys.argv) > 3:
        many(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    else:
        main(sys.argv[1], int(sys.argv[2]))
