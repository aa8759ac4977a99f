"""What both wires cost a step: the request's bytes, and the response; the reader; the tokenizer.

    python -m benchmarks.bench_wire

The tokenizer is made up, of GLM's size. The floor of the ids wire is the messages wire, in the same
run: the same session, as messages.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import orjson

from benchmarks.figures import figure
from recordings.conversation.ids import IdTrail
from recordings.conversation.messages import encode_message
from recordings.conversation.restore import SentMessage
from sii_cli.model.assemble import Assembler
from sii_cli.model.ids.assemble import IdsAssembler
from sii_cli.model.ids.prompt_form import prompt_forms
from sii_cli.model.ids.wire import IdsPrompts, IdsWire
from sii_cli.model.types import STREAMING, ChatRequest, IdsPrompt
from sii_cli.model.vllm import VllmModel
from sii_cli.tokenizer.tokenizer_file import byte_characters
from sii_cli.tokenizer.vocabulary import Vocabulary, load_vocabulary

T = TypeVar("T")
SIZE = 151_000
"""Entries of the tokenizer."""
CONTROL = (
    *("<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>"),
    *("<|observation|>", "<think>", "</think>", "<tool_call>", "</tool_call>", "<arg_key>"),
    *("</arg_key>", "<arg_value>", "</arg_value>", "<tool_response>", "</tool_response>"),
)
SPLIT = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEXT = (Path(__file__).parents[1] / "docs/guides/batch.md").read_text("utf-8")
COMMAND = "python3 -m pytest -q tests/test_money.py"
THOUGHT = "The test fails in split, so I look there first. " * 12
PARAMS = {"model": "glm", **STREAMING, "max_tokens": 4096}


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        path.write_text(json.dumps(made_up()))
        seconds, own = timed(lambda: load_vocabulary(path))
    figure("wire: tokenizer loaded, CPU", seconds * 1e3, "ms")
    print(f"tokenizer      {seconds * 1e3:8.1f} ms CPU to load, {SIZE:,} entries")
    form = next(one for one in prompt_forms() if one.name == "GLM-4.7")
    wire = IdsWire(own, form, thinking=True, retain="all")
    response = generated(own)
    reader_cost(wire, response)
    for tokens in (10_000, 100_000, 150_000):
        step_cost(wire, response, tokens)


def made_up() -> dict[str, Any]:
    """Return a tokenizer of random merges."""
    draw, known = random.Random(1), byte_characters()
    taken, merges = set(known), []
    while len(known) < SIZE:
        left, right = draw.choice(known), draw.choice(known)
        if len(left + right) <= 12 and left + right not in taken:
            taken.add(left + right)
            known.append(left + right)
            merges.append([left, right])
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    split = {"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Isolated", "invert": False}
    steps = [split, byte_level | {"use_regex": False}]
    marks = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {
        "version": "1.0",
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "decoder": byte_level | {"use_regex": True},
        "model": {
            "type": "BPE",
            "vocab": {text: number for number, text in enumerate(known)},
            "merges": merges,
        },
        "added_tokens": [
            {"id": SIZE + number, "content": text, "special": True, **marks}
            for number, text in enumerate(CONTROL)
        ],
    }


def generated(own: Vocabulary) -> list[int]:
    """Return the ids of a response: a thought and a call."""
    call = f"<tool_call>bash<arg_key>command</arg_key><arg_value>{COMMAND}</arg_value></tool_call>"
    return own.join(own.pieces(f"{THOUGHT}</think>{call}<|observation|>"))


def reader_cost(wire: IdsWire, response: list[int]) -> None:
    """CPU of a token that arrives alone."""

    def read() -> None:
        reader = prompts(wire).prompt([], PARAMS).new_reader()
        for token in response:
            reader.feed([token])
        reader.finish()

    cost = median(read) / len(response)
    figure("wire: reader, CPU a token", cost * 1e6, "µs")
    print(f"reader         {cost * 1e6:8.2f} µs CPU a token")


def prompts(wire: IdsWire) -> IdsPrompts:
    """Return what makes the prompts of a session."""
    return wire.prompts(wire.writer().system("You are sii."), [])


class Told:
    """A session of many steps, on one of the wires."""

    def __init__(self, wire: IdsWire | None, response: list[int], own: Vocabulary) -> None:
        self.model = VllmModel(base_url="http://localhost:1/v1")
        self.response = response
        self.own = own
        self.prompts = None if wire is None else prompts(wire)
        self.messages = [sent(0, {"role": "system", "content": "You are sii."})]
        self.messages.append(sent(1, {"role": "user", "content": "Fix the test."}))
        self.trail = IdTrail()

    def add_step(self) -> None:
        """Add a response and an observation."""
        seq, call_id = len(self.messages), f"call-{len(self.messages)}"
        function = {"name": "bash", "arguments": json.dumps({"command": COMMAND})}
        calls = [{"id": call_id, "type": "function", "function": function}]
        said = {"role": "assistant", "content": "", "reasoning_content": THOUGHT}
        opening = self.prompts.prompt([], PARAMS).opening if self.prompts else None
        self.messages.append(sent(seq, said | {"tool_calls": calls}, self.response, opening))
        at = seq * 997 % (len(TEXT) - 3000)
        result = {"role": "tool", "tool_call_id": call_id, "content": TEXT[at : at + 3000]}
        self.messages.append(sent(seq + 1, result))

    def request(self) -> tuple[ChatRequest, bytes]:
        """Return the next request, and its body."""
        from sii_cli.model.vllm import _body

        ids = self.prompts.prompt(self.messages, PARAMS) if self.prompts else None
        encoded = [message.encoded for message in self.messages]
        made = ChatRequest("bench", encoded, None, PARAMS, ids)
        return made, _body(made) if ids is None else self.model._ids_body(made, ids)

    def read(self, ids: IdsPrompt | None, events: list[bytes]) -> None:
        """Read the stream of a response, and compare its prompt with the last one."""
        made = (
            Assembler(max_tokens=4096, context_length=1 << 18)
            if ids is None
            else IdsAssembler(ids, max_tokens=4096, context_length=1 << 18)
        )
        for event in events:
            for _delta in made.add(orjson.loads(event)):
                pass
        done = made.completion(attempt=1, first_chunk=0, first_token=0, total=0, chunks=0)
        assert done.prompt_ids is not None
        self.trail.span(done.prompt_ids)
        self.trail.advance(done.prompt_ids, done.generated_ids or [])


def sent(
    seq: int,
    message: dict[str, Any],
    generated: list[int] | None = None,
    opening: list[int] | None = None,
) -> SentMessage:
    """Return a message as it is sent."""
    return SentMessage(seq, encode_message(message), generated, opening)


def step_cost(wire: IdsWire, response: list[int], tokens: int) -> None:
    """CPU of the requests and responses of steps at a length of the context."""
    costs: dict[str, tuple[float, float, int]] = {}
    for name, on in (("messages", None), ("ids", wire)):
        told, counted = Told(on, response, wire.vocabulary), Told(wire, response, wire.vocabulary)
        while not told.messages[3:] or size(counted) < tokens:
            told.add_step()
            counted.add_step()
        told.request()
        building, reading, bytes_sent = [], [], 0
        for _ in range(7):
            told.add_step()
            counted.add_step()
            ids = counted.request()[0].ids
            assert ids is not None
            events = list(stream(ids.ids, response, wire.vocabulary, chat=on is None))
            cost, (request, body) = timed(told.request)
            building.append(cost)
            bytes_sent = len(body)
            reading.append(timed(lambda: told.read(request.ids, events))[0])  # noqa: B023
        costs[name] = statistics.median(building), statistics.median(reading), bytes_sent
    for place, what in enumerate(("request built", "response read")):
        own, floor = costs["ids"][place], costs["messages"][place]
        name = f"wire: {what} at {tokens // 1000}k, CPU"
        figure(name, own * 1e3, "ms", floor=floor * 1e3)
    for name, (built, read, length) in costs.items():
        print(
            f"{name:9} {tokens:8,} {built * 1e3:7.2f} ms CPU to build {length:,} bytes, "
            f"{read * 1e3:7.2f} ms to read the response"
        )


def size(told: Told) -> int:
    """Return the length of the prompt."""
    ids = told.request()[0].ids
    return 0 if ids is None else len(ids.ids)


def stream(
    prompt: list[int], response: list[int], own: Vocabulary, *, chat: bool
) -> Iterator[bytes]:
    """Yield the events of a response, one for each id."""
    for place, token in enumerate(response):
        text = own.spell([token])
        choice: dict[str, Any] = {"index": 0, "logprobs": None, "finish_reason": None}
        choice |= {"delta": {"reasoning": text}} if chat else {"text": text}
        choice["token_ids"] = [token]
        head: dict[str, Any] = {"id": "x", "object": "chunk", "created": 1, "model": "glm"}
        if place == 0:
            (head if chat else choice)["prompt_token_ids"] = prompt
        yield orjson.dumps(head | {"choices": [choice]})
    usage = {"prompt_tokens": len(prompt), "completion_tokens": len(response)}
    ended = {"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": response[-1]}
    yield orjson.dumps({"id": "x", "choices": [ended], "usage": usage})


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Return the CPU seconds of some work, and its result."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def median(work: Callable[[], object], repeats: int = 7) -> float:
    """Return the median CPU seconds of some work."""
    return statistics.median(timed(work)[0] for _ in range(repeats))


if __name__ == "__main__":
    main()
