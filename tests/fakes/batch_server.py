"""A model server for batches: what it says follows from the messages alone, so that any number of
sessions may talk to it in any order, and be run again.

A query's text is its script: `steps=2 solve=1` takes two steps a round, and leaves a file `solved`
in the workspace in the round named (0: never). `say=loop` makes the same call for ever, `say=long`
is cut off every time. `python -m tests.fakes.batch_server` serves until killed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import sys
from typing import Any

from tests.fakes.script import (
    BreakAfter,
    CutOff,
    EndsEarly,
    EngineDies,
    Garbage,
    HttpError,
    Scripted,
    SilentAfter,
    Turn,
)
from tests.fakes.scripted_server import ScriptedServer

WORD = re.compile(r"(\w+)=(\w+)")


class BatchServer(ScriptedServer):
    """`faults`: share of the requests that go wrong."""

    def __init__(self, *, faults: float = 0.0, seed: int = 0, slow: float = 0.0) -> None:
        super().__init__()
        self._faults = faults
        self._random = random.Random(seed)
        self._slow = slow
        self.answered = 0
        """Requests so far."""

    def next_turn(self, body: dict[str, Any]) -> Scripted:
        """Answer by what the messages say."""
        self.requests.clear()
        self.answered += 1
        turn = said_to(body["messages"], self._slow)
        if self._random.random() >= self._faults or not isinstance(turn, Turn):
            return turn
        faults: list[Scripted] = [
            HttpError(503),
            HttpError(500),
            BreakAfter(turn, 3),
            EngineDies(turn, 2),
        ]
        faults += [EndsEarly(turn, 2), Garbage(b"data: {]\n\n\xff\n")]
        if turn.reasoning:  # silence before the first word is patiently borne, for minutes
            faults.append(SilentAfter(turn, 4))
        return self._random.choice(faults)


def said_to(messages: list[dict[str, Any]], slow: float = 0.0) -> Scripted:
    """What the model says to these messages."""
    users = [message for message in messages if message["role"] == "user"]
    if "play the user" in str(users[0]["content"]):
        return Turn("It is not solved yet.")
    script = dict(WORD.findall(str(users[0]["content"])))
    last = max(i for i, message in enumerate(messages) if message["role"] == "user")
    step = sum(message["role"] == "assistant" for message in messages[last:]) + 1
    steps, solve = int(script.get("steps", 1)), int(script.get("solve", 0))
    if script.get("say") == "loop":
        return Turn(calls=[("bash", {"command": "true"})], slow=slow)
    if script.get("say") == "long":
        return CutOff(Turn("word " * 50), 20)
    if step > steps:
        return Turn(f"Done with round {len(users)}.", reasoning="That is all.", slow=slow)
    command = f"echo step {step} of round {len(users)}"
    if step == steps and solve == len(users):
        command = "touch solved"
    return Turn(reasoning="I run it.", calls=[("bash", {"command": command})], slow=slow)


async def _serve(options: argparse.Namespace) -> None:
    server = BatchServer(faults=options.faults, slow=options.slow)
    server.port = options.port
    async with server:
        sys.stdout.write(f"{server.base_url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.batch_server")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--slow", type=float, default=0.0, help="seconds a token")
    asyncio.run(_serve(parser.parse_args()))
