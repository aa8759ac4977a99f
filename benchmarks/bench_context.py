"""What counting tokens costs: after one new message of a long history, and what it saves.

    python -m benchmarks.bench_context [--tokens 100000]

The tokenizer is trained here, with GLM's own way of splitting text. The peer counts the whole
history again, as a plain loop over messages does; the floor is tiktoken alone on the new message.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from benchmarks.figures import figure
from recordings.conversation.messages import encode_message
from recordings.conversation.restore import SentMessage
from sii_cli.agent.context import reductions
from sii_cli.agent.context.meter import Meter
from sii_cli.agent.context.tokens import FileCounter, text_of
from sii_cli.tokenizer.tokenizer_file import load_encoding

WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
OBSERVATION = 8000
"""Characters of a message."""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_context")
    parser.add_argument("--tokens", type=int, default=100_000, help="of the history")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), options.tokens))


async def measure(folder: Path, tokens: int) -> None:
    """Count a history again and again."""
    source = train(folder)
    started = time.perf_counter()
    encoding = load_encoding(folder)
    print(f"tokenizer      {(time.perf_counter() - started) * 1e3:8.1f} ms to build")
    counter = FileCounter(encoding)
    history: list[bytes] = []
    whole = Meter(counter)
    while whole.used < tokens:
        at = len(history) * 997 % (len(source) - OBSERVATION)
        history.append(message(source[at : at + OBSERVATION]))
        await whole.count(history)
    new = message(source[:OBSERVATION])
    print(
        f"history        {whole.used:8,} tokens in {len(history)} messages "
        f"of {OBSERVATION:,} characters"
    )

    async def one_new() -> None:
        meter.set(whole.used, len(history))
        await meter.count([*history, new])

    async def all_again() -> None:
        await Meter(counter).count([*history, new])

    async def floor() -> None:
        encoding.encode(text_of(new), allowed_special="all")

    async def compaction() -> None:
        reductions.to_stub(reductions.measure(messages, whole.used), tokens // 2)

    meter = Meter(counter)
    messages = [SentMessage(seq, encoded) for seq, encoded in enumerate(history)]
    for name, run in (
        ("one message", one_new),
        ("  tiktoken alone", floor),
        ("all again", all_again),
        ("plan of stubs", compaction),
    ):
        taken = await median(run) * 1e3
        figure(f"context: {name.strip()}", taken, "ms")
        print(f"{name:16} {taken:8.2f} ms")


async def median(run: Callable[[], Awaitable[None]], repeats: int = 15) -> float:
    """Median seconds of a run."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        await run()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def message(text: str) -> bytes:
    """An observation as it is sent."""
    return encode_message({"role": "tool", "tool_call_id": "1", "content": text})


def train(folder: Path) -> str:
    """Train a tokenizer and save it; return what it was trained on."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=8000,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    modules = (argparse, asyncio.tasks, inspect, json.decoder, statistics, tempfile)
    source = "".join(map(inspect.getsource, modules))
    tokenizer.train_from_iterator([source], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    return source


if __name__ == "__main__":
    main()
