"""Lines of standard input: any length and number of them costs bounded memory and linear time."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from unittest.mock import Mock

import pytest

from sii_cli.prompt.plain import lines as module
from sii_cli.prompt.plain.app import LONGEST_MESSAGE, TOO_LONG, PlainPrompt
from sii_cli.prompt.plain.lines import MOST, TypedLines
from sii_cli.prompt.plain.surface import LineSurface

pytestmark = pytest.mark.hostile


class Input:
    """Reads lines from a descriptor as the prompt does, up to the end."""

    def __init__(self, stdin: int, take: Callable[[str], None]) -> None:
        self.over = asyncio.Event()
        self.lines = TypedLines(take, self.over.set)
        self.lines._stdin = stdin


async def test_a_line_without_an_end_is_read_in_linear_time_and_kept_in_part() -> None:
    reading, writing = os.pipe()
    taken: list[int] = []
    read = Input(reading, lambda line: taken.append(len(line)))

    def flood() -> None:
        for _ in range(400):
            os.write(writing, b"x" * 65_536)
        os.write(writing, b"\nshort")
        os.close(writing)

    thread = Thread(target=flood)
    thread.start()
    began = time.process_time()
    read.lines.begin()
    await read.over.wait()
    thread.join()
    os.close(reading)
    assert taken == [MOST, len("short")]
    assert time.process_time() - began < 2


async def test_a_file_lets_the_loop_do_its_other_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK", 4)
    (tmp_path / "lines").write_bytes(b"one\ntwo\r\nthree\nfour")
    taken: list[str] = []
    with (tmp_path / "lines").open("rb") as file:
        read = Input(file.fileno(), taken.append)
        read.lines.begin()
        for _ in range(3):
            await asyncio.sleep(0)
        assert 0 < len(taken) < 4
        with read.lines.paused():
            before = list(taken)
            await asyncio.sleep(0.01)
            assert taken == before
        await read.over.wait()
    assert taken == ["one", "two", "three", "four"]


def test_a_flood_of_lines_is_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = PlainPrompt(Mock(), Mock())
    written: list[str] = []
    accepted: list[str] = []
    monkeypatch.setattr(LineSurface, "write", lambda self, word, said: written.extend(said))
    monkeypatch.setattr(prompt, "_accept", accepted.append)
    began = time.process_time()
    for _ in range(100_000):
        prompt._take("x" * (LONGEST_MESSAGE // 50_000))
    prompt._take("")
    assert time.process_time() - began < 5
    assert (written, accepted) == ([TOO_LONG], [])
    prompt._take("short")
    prompt._take("")
    assert accepted == ["short"]
