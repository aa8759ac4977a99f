"""A server that answers as told, byte for byte, and for as long as anybody reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path

from tests.fakes.listening import listening

BLOCK = 64 << 10
"""Bytes written at once of what is repeated."""
MOST = 4 << 30
"""Bytes after which even a bomb ends, so that a failing test does."""

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
UNTIL_CLOSED = OK + b"\r\n"

Bytes = Iterable[bytes]


@dataclass
class BombServer:
    """What it serves by path, and the heads of the requests that it got."""

    answers: dict[str, Bytes]
    heads: list[bytes] = field(default_factory=list)
    sent: int = 0
    base_url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(KeyError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            _, found, rest = head.lower().partition(b"content-length: ")
            await reader.readexactly(int(rest.split(b"\r\n")[0]) if found else 0)
            for piece in self.answers[head.split()[1].decode()]:
                writer.write(piece)
                await writer.drain()
                self.sent += len(piece)
                if self.sent > MOST:
                    break


@asynccontextmanager
async def bomb_server(answers: dict[str, Bytes]) -> AsyncIterator[BombServer]:
    """Serve until the block ends."""
    bomb = BombServer(answers)
    async with listening(bomb.serve) as port:
        bomb.base_url = f"http://127.0.0.1:{port}/v1"
        yield bomb


def endless(head: bytes, piece: bytes) -> Iterator[bytes]:
    """A head, and then a piece for ever."""
    return chain([head], repeat(piece * (1 + BLOCK // len(piece))))


class PeakMemory:
    """How much more memory this process took within the block, in MB."""

    mb = 0.0

    def __enter__(self) -> PeakMemory:
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        self._before = _kilobytes("VmRSS")
        return self

    def __exit__(self, *exc: object) -> None:
        self.mb = (_kilobytes("VmHWM") - self._before) / 1000


def _kilobytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))
