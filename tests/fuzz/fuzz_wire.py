"""Fuzzes what reads servers' and clients' bytes, guided by coverage. Not part of the tests.

    pip install atheris
    python -m tests.fuzz.fuzz_wire [-max_total_time=600] [CORPUS]

Whatever the input, nothing but the named errors is raised and no bound is passed. Found inputs
become tests (`test_hostile_*.py`).
"""

from __future__ import annotations

import asyncio
import ipaddress
import sys
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress

import atheris

with atheris.instrument_imports(include=["sii_cli", "sandbox.network", "tools.web"]):
    import orjson

    from sandbox.network.addresses import is_public
    from sandbox.network.client_hello import Incomplete, server_name
    from sii_cli.model.assemble import Assembler
    from sii_cli.model.endpoints import read_load
    from sii_cli.model.errors import ModelCallFailed
    from sii_cli.model.failures import failure_of_status
    from sii_cli.model.http.sse import BadStream, EventSplitter
    from sii_cli.model.response_limits import ResponseTooLarge
    from tools.web.inflate import UnknownCoding, read_body

LIMIT = 1000


def stream(data: bytes) -> None:
    """An answer as events, in pieces of a length that the input chooses."""
    size = 1 + data[0]
    splitter, assembler = EventSplitter(longest=LIMIT), Assembler(max_tokens=1, context_length=1)
    with suppress(BadStream, ResponseTooLarge, ModelCallFailed, orjson.JSONDecodeError):
        for at in range(1, len(data), size):
            for event in splitter.feed(data[at : at + size]):
                list(assembler.add(orjson.loads(event)))
    assert len(assembler.content) + len(assembler.reasoning) <= assembler.limits.characters
    if assembler.finish_reason is not None:
        assembler.completion(attempt=1, first_chunk=None, first_token=None, total=0.0, chunks=1)


def hello(data: bytes) -> None:
    """A client's first message."""
    with suppress(Incomplete, ValueError):
        server_name(b"\x16" + data)


def refusal(data: bytes) -> None:
    """An error's status, header and body."""
    headers = {"Retry-After": data[:20].decode("latin-1"), "Location": data.decode("latin-1")}
    assert str(failure_of_status(data[0] * 4, data, headers, "glm"))


def page(data: bytes) -> None:
    """A packed body."""

    async def pieces() -> AsyncIterator[bytes]:
        yield data[:20]
        yield data[20:]

    with suppress(UnknownCoding, zlib.error):
        assert len(asyncio.run(read_body(pieces(), "gzip", LIMIT))) <= LIMIT + 1


def address(data: bytes) -> None:
    """An address, and the load of a server."""
    is_public(str(ipaddress.IPv6Address(data[:16].ljust(16, b"\0"))))
    read_load(data.decode("latin-1"))


TARGETS = (stream, stream, stream, hello, refusal, page, address)


def one_input(data: bytes) -> None:
    """Read one input by the target that its first byte names."""
    if len(data) > 2:
        TARGETS[data[0] % len(TARGETS)](data[1:])


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
