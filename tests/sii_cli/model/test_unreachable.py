"""A server that is not there, that goes away and comes back, and a human who will not wait."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sii_cli.model.errors import ModelCallFailed, ModelCallRefused, PromptTooLong
from sii_cli.model.types import Delta, RequestFailed
from tests.fakes.listening import listening, say_nothing
from tests.fakes.script import HttpError, SilentAfter, Turn
from tests.fakes.scripted_server import ENGINE_DIED, ScriptedServer
from tests.sii_cli.model.calling import (
    QUESTION,
    SHORT,
    ask,
    client,
    completion_of,
    failures_of,
    parts_of,
)

ANSWER = Turn(reasoning="Easy.", content="Two files.")


def nobody() -> str:
    """A URL at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize(
    ("base_url", "kind", "error", "words"),
    [
        (nobody(), "connect", ModelCallFailed, "sii serve"),
        ("http://no-such-host.invalid:8000", "dns", ModelCallFailed, "SII_BASE_URL"),
        ("localhost:8000", "bad_url", ModelCallRefused, "http://HOST:PORT"),
        ("http://[::1", "bad_url", ModelCallRefused, "http://HOST:PORT"),
    ],
    ids=["nobody", "unknown-name", "no-scheme", "no-url"],
)
async def test_a_server_that_was_never_there_is_given_up_soon(
    base_url: str, kind: str, error: type[ModelCallFailed], words: str
) -> None:
    async with client(base_url, retries=1) as model:
        with pytest.raises(ModelCallFailed, match=words) as caught:
            await model.describe()
        last = (await parts_of(model))[-1]
    assert type(caught.value) is error
    assert isinstance(last, RequestFailed)
    assert (last.failure.kind, last.retry_in) == (kind, None)
    assert words in str(last.failure)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate that nobody signed, in one file with its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is needed to make a certificate")
    path = tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x"
    argv = [*command.split(), "-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run(argv, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


async def test_a_certificate_that_is_not_trusted_is_said_to_be_so(certificate: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with (
        listening(say_nothing, context) as port,
        client(f"https://127.0.0.1:{port}") as model,
    ):
        with pytest.raises(ModelCallFailed, match="SSL_CERT_FILE"):
            await model.describe()


async def test_a_port_that_takes_connections_and_never_answers_is_given_up_in_time() -> None:
    async with (
        listening(say_nothing) as port,
        client(f"http://127.0.0.1:{port}", first_timeout=0.1, retries=0) as model,
    ):
        last = (await parts_of(model))[-1]
    assert isinstance(last, RequestFailed)
    assert last.failure.kind == "idle"


async def test_what_is_no_model_server_is_said_to_be_none() -> None:
    async with ScriptedServer() as server, client(f"{server.base_url}/elsewhere") as model:
        with pytest.raises(ModelCallFailed, match="SII_BASE_URL"):
            await model.describe()


async def test_a_server_tells_what_it_serves() -> None:
    async with ScriptedServer(context_length=4096) as server:
        async with client(server.base_url) as model:
            served = await model.describe()
        async with client(server.base_url.removesuffix("/v1"), model="glm") as model:
            assert await model.describe() == served
    assert (served.name, served.context_length) == ("glm", 4096)
    assert served.details["version"] == "0.32.0"


async def test_a_model_that_is_not_served_is_named_with_those_that_are() -> None:
    async with ScriptedServer() as server, client(server.base_url, model="glm-5") as model:
        with pytest.raises(ModelCallFailed, match="'glm-5'; it serves glm: set SII_MODEL"):
            await model.describe()
        last = (await parts_of(model, ask(model="glm-5")))[-1]
    assert isinstance(last, RequestFailed)
    assert isinstance(last.failure, ModelCallRefused)
    assert last.failure.kind == "unknown_model"


async def test_the_key_opens_the_server() -> None:
    async with ScriptedServer([ANSWER], api_key="secret") as server:
        async with client(server.base_url, api_key="wrong") as model:
            with pytest.raises(ModelCallFailed, match="SII_API_KEY"):
                await model.describe()
        async with client(server.base_url, api_key="secret") as model:
            assert completion_of(await parts_of(model)).content == "Two files."


async def test_a_prompt_that_does_not_fit_is_an_overflow() -> None:
    long = {"role": "user", "content": "word " * 100}
    async with ScriptedServer(context_length=64) as server, client(server.base_url) as model:
        last = (await parts_of(model, ask(long)))[-1]
    assert isinstance(last, RequestFailed)
    assert isinstance(last.failure, PromptTooLong)
    assert (last.failure.kind, last.retry_in) == ("overflow", None)
    assert "64 tokens" in str(last.failure)


async def test_a_server_that_asks_to_wait_is_given_the_time() -> None:
    busy = HttpError(429, retry_after="0.1")
    date = HttpError(503, retry_after="Wed, 21 Oct 2015 07:28:00 GMT")
    async with ScriptedServer([busy, date, ANSWER]) as server, client(server.base_url) as model:
        started = time.monotonic()
        parts = await parts_of(model)
        took = time.monotonic() - started
    asked, past = [failed.retry_in for failed in failures_of(parts)]
    assert asked == 0.1
    assert past is not None
    assert 0 < past <= SHORT.longest  # a time that is over asks for no flood: our own wait holds
    assert took >= 0.1
    assert completion_of(parts).attempt == 3


async def test_after_so_many_retries_a_call_is_given_up() -> None:
    async with (
        ScriptedServer([HttpError(500)] * 3) as server,
        client(server.base_url, retries=2) as model,
    ):
        failures = failures_of(await parts_of(model))
    assert [failed.retry_in is None for failed in failures] == [False, False, True]


async def test_waits_grow_and_stay_below_their_limit() -> None:
    async with (
        ScriptedServer([HttpError(500)] * 8) as server,
        client(server.base_url, retries=7) as model,
    ):
        waits = [failed.retry_in or 0 for failed in failures_of(await parts_of(model))][:-1]
    assert waits[0] <= SHORT.first
    assert SHORT.longest / 2 <= waits[-1] <= SHORT.longest


async def test_a_dead_engine_behind_a_server_that_still_answers_costs_no_attempts() -> None:
    """As vLLM 0.32 answers for seconds after its engine was killed."""
    dead = HttpError(500, ENGINE_DIED)
    async with (
        ScriptedServer([ANSWER, *[dead] * 20, ANSWER]) as server,
        client(server.base_url, retries=1) as model,
    ):
        completion_of(await parts_of(model))
        parts = await parts_of(model)
    assert completion_of(parts).content == ANSWER.content
    assert {failed.failure.kind for failed in failures_of(parts)} == {"unavailable"}
    assert "engine has died" in str(failures_of(parts)[0].failure)


async def test_a_server_that_dies_at_the_first_call_has_answered_too() -> None:
    dead = HttpError(500, ENGINE_DIED)
    async with (
        ScriptedServer([*[dead] * 20, ANSWER]) as server,
        client(server.base_url, retries=1) as model,
    ):
        assert completion_of(await parts_of(model)).content == ANSWER.content


async def test_a_server_that_was_there_is_waited_for_while_it_restarts() -> None:
    async with ScriptedServer([ANSWER, ANSWER]) as server, client(server.base_url) as model:
        await parts_of(model)
        await server.stop()
        asyncio.get_running_loop().call_later(0.3, asyncio.ensure_future, server.start())
        parts = await parts_of(model)
    assert len(failures_of(parts)) > 6
    assert {failed.failure.kind for failed in failures_of(parts)} <= {"connect", "broken_stream"}
    assert completion_of(parts).content == "Two files."


async def test_a_server_that_stays_away_is_given_up() -> None:
    impatient = replace(SHORT, away=0.1)
    async with ScriptedServer([ANSWER]) as server:
        async with client(server.base_url, waits=impatient, retries=2) as model:
            await parts_of(model)
            await server.stop()
            last = (await parts_of(model))[-1]
        await server.start()
    assert isinstance(last, RequestFailed)
    assert (last.failure.kind, last.retry_in) == ("connect", None)


@pytest.mark.parametrize("chunks", [0, 1, 5])
async def test_a_cancelled_call_reaches_the_server_as_a_disconnect_at_once(chunks: int) -> None:
    async with (
        ScriptedServer([SilentAfter(ANSWER, chunks)]) as server,
        client(server.base_url) as model,
    ):
        call = asyncio.create_task(parts_of(model))
        await server.asked.wait()
        await asyncio.sleep(0.02)
        cancelled = time.monotonic()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.sleep(0.1)
        assert server.disconnects
        assert server.disconnects[0] - cancelled < 1.0


async def test_closing_the_parts_early_disconnects_too() -> None:
    slow = replace(ANSWER, slow=0.05)
    async with ScriptedServer([slow]) as server, client(server.base_url) as model:
        parts = model.stream(ask(QUESTION))
        async for part in parts:
            if isinstance(part, Delta):
                break
        closed = time.monotonic()
        await parts.aclose()
        await asyncio.sleep(0.1)
        assert server.disconnects
        assert server.disconnects[0] - closed < 1.0
