"""One call of a model server: what comes back, and what becomes of every way it can go wrong."""

from __future__ import annotations

import orjson
import pytest

from recordings.events import CallRequest
from sii_cli.model.errors import ModelCallFailed, ModelCallRefused
from sii_cli.model.types import Delta, RequestFailed, RequestStarted
from tests.fakes.fake_tokenizer import decode, encode
from tests.fakes.script import (
    BreakAfter,
    CutOff,
    EndsEarly,
    EngineDies,
    Garbage,
    HttpError,
    SilentAfter,
    Turn,
)
from tests.fakes.scripted_server import ScriptedServer
from tests.sii_cli.model.calling import (
    ask,
    client,
    completion_of,
    failures_of,
    parts_of,
    text_of,
)

LOOK = Turn(reasoning="I look.", content="Let me see.", calls=[("bash", {"command": "ls -la"})])
ANSWER = Turn(reasoning="Easy.", content="Two files: naïve.py and 日本.md")


async def test_a_turn_comes_back_as_it_was_written() -> None:
    async with ScriptedServer([ANSWER]) as server, client(server.base_url) as model:
        parts = await parts_of(model)
    done = completion_of(parts)
    assert parts[0] == RequestStarted(1, server.base_url)
    assert text_of(parts, "reasoning") == done.reasoning == "Easy."
    assert text_of(parts, "content") == done.content == ANSWER.content
    assert (done.finish_reason, done.complete, done.calls) == ("stop", True, ())
    assert done.flags == ()
    assert done.first_chunk is not None
    assert done.first_token is not None
    assert 0 < done.first_chunk <= done.first_token <= done.total


def call(index: int, arguments: str) -> CallRequest:
    call_id = f"call-sii-1-{index}"
    return CallRequest(index=index, call_id=call_id, name="bash", arguments=arguments)


async def test_parallel_calls_come_back_with_the_very_strings_that_the_model_wrote() -> None:
    odd = '{"command":  "echo \\u00e9",  "timeout": 030}'
    turn = Turn(calls=[("bash", {"command": "ls"}), ("bash", odd), ("bash", "")])
    async with ScriptedServer([turn]) as server, client(server.base_url) as model:
        parts = await parts_of(model, ask(tools=True))
    done = completion_of(parts)
    assert done.calls == (
        call(0, '{"command":"ls"}'),
        call(1, odd),
        call(2, ""),
    )
    assert done.complete
    streamed = [p for p in parts if isinstance(p, Delta) and p.kind == "call_arguments"]
    assert "".join(p.text for p in streamed if p.index == 1) == odd


async def test_prompt_and_generated_ids_are_the_servers_stop_token_included() -> None:
    async with ScriptedServer([LOOK]) as server, client(server.base_url) as model:
        done = completion_of(await parts_of(model))
        assert done.prompt_ids == server.requests[0].prompt_ids
    assert done.generated_ids is not None
    assert done.usage is not None
    assert decode(done.generated_ids).endswith("</tool_call><|observation|>")
    assert len(done.generated_ids) == done.usage.completion_tokens
    assert done.stop_reason == encode("<|observation|>")[0]


async def test_within_a_tool_loop_a_prompt_extends_the_ids_of_the_call_before() -> None:
    async with ScriptedServer([LOOK, ANSWER]) as server, client(server.base_url) as model:
        first = completion_of(await parts_of(model))
        function = {"name": "bash", "arguments": first.calls[0].arguments}
        call = {"id": first.calls[0].call_id, "type": "function", "function": function}
        said = {
            "role": "assistant",
            "content": first.content,
            "reasoning_content": first.reasoning,
            "tool_calls": [call],
        }
        seen = {"role": "tool", "tool_call_id": first.calls[0].call_id, "content": "a.py"}
        question = {"role": "user", "content": "What is in /workspace?"}
        second = completion_of(await parts_of(model, ask(question, said, seen)))
    stood = (first.prompt_ids or []) + (first.generated_ids or [])
    assert (second.prompt_ids or [])[: len(stood)] == stood


async def test_the_body_is_what_was_asked_for_and_the_request_carries_its_id() -> None:
    async with ScriptedServer([ANSWER]) as server, client(server.base_url) as model:
        await parts_of(model, ask(tools=True, temperature=0.6))
        request = server.requests[0]
    assert request.headers["x-request-id"] == "sii-1"
    assert request.body["temperature"] == 0.6
    assert request.body["return_token_ids"] is True
    assert [tool["function"]["name"] for tool in request.body["tools"]] == ["bash"]


async def test_a_request_without_tools_leaves_the_field_out() -> None:
    async with ScriptedServer([ANSWER]) as server, client(server.base_url) as model:
        await parts_of(model)
        assert "tools" not in server.requests[0].body


async def test_ids_that_a_server_does_not_give_are_flagged() -> None:
    async with ScriptedServer([ANSWER], ids=False) as server, client(server.base_url) as model:
        done = completion_of(await parts_of(model))
    assert done.prompt_ids is None
    assert done.generated_ids is None
    assert done.flags == ("ids_missing",)


@pytest.mark.parametrize("after", [3, 12, 20])
async def test_a_turn_cut_off_by_length_is_not_complete(after: int) -> None:
    async with ScriptedServer([CutOff(LOOK, after)]) as server, client(server.base_url) as model:
        done = completion_of(await parts_of(model))
    assert done.finish_reason == "length"
    assert not done.complete
    assert len(done.generated_ids or []) == after


async def test_a_call_cut_through_keeps_its_half_string() -> None:
    turn = Turn(calls=[("bash", {"command": "rm -rf build && make"})])
    async with ScriptedServer([turn]) as server, client(server.base_url) as model:
        done = completion_of(await parts_of(model, ask(max_tokens=12)))
    assert not done.complete
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(done.calls[0].arguments)


async def test_a_turn_that_met_its_limit_is_not_complete_whatever_the_finish_reason() -> None:
    chunk = {
        "choices": [
            {
                "delta": {"tool_calls": [{"index": 0, "function": {"name": "bash"}}]},
                "finish_reason": "tool_calls",
                "stop_reason": None,
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 8},
    }
    data = b"data: " + orjson.dumps(chunk) + b"\n\ndata: [DONE]\n\n"
    async with ScriptedServer([Garbage(data)]) as server, client(server.base_url) as model:
        done = completion_of(await parts_of(model, ask(max_tokens=8)))
    assert not done.complete
    assert "ended_at_limit" in done.flags


async def test_a_second_call_uses_the_connection_of_the_first() -> None:
    async with ScriptedServer([ANSWER, ANSWER]) as server, client(server.base_url) as model:
        await parts_of(model)
        await parts_of(model)
        assert server.connections == 1


ABORTED = (
    b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"Let"},"finish_reason":null}]}\n\n'
    b'data: {"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"abort"}]}\n\n'
    b"data: [DONE]\n\n"
)


@pytest.mark.parametrize(
    ("trouble", "kind", "words"),
    [
        (BreakAfter(LOOK, 4), "broken_stream", "broke"),
        (EngineDies(LOOK, 4), "engine_dead", "EngineCore"),
        (EndsEarly(LOOK, 4), "no_finish", "ended before"),
        (SilentAfter(LOOK, 4), "idle", "silent"),
        (Garbage(b"data: {not json}\n\n"), "garbage", "JSON"),
        (Garbage(b"<html>gateway</html>\n"), "garbage", "not an event"),
        (Garbage(b'data: {"choices": 7}\n\n'), "garbage", "shape"),
        (Garbage(b""), "no_finish", "ended before"),
        (Garbage(ABORTED), "no_finish", "ended before"),
        (HttpError(500), "server_error", "500"),
        (HttpError(502, b"<html>Bad Gateway</html>"), "server_error", "Bad Gateway"),
        (HttpError(503), "unavailable", "not ready"),
        (HttpError(429), "rate_limited", "busy"),
    ],
)
async def test_what_may_pass_is_tried_again_and_nothing_is_doubled(
    trouble: object, kind: str, words: str
) -> None:
    async with (
        ScriptedServer([trouble, LOOK]) as server,  # type: ignore[list-item]
        client(server.base_url, idle_timeout=0.1) as model,
    ):
        parts = await parts_of(model)
        assert len(server.requests) == 2
        assert server.requests[0].body == server.requests[1].body
    (failed,) = failures_of(parts)
    assert (failed.attempt, failed.failure.kind, type(failed.failure)) == (1, kind, ModelCallFailed)
    assert words in str(failed.failure)
    done = completion_of(parts)
    assert (done.attempt, done.reasoning, done.content) == (2, "I look.", "Let me see.")
    assert len(done.calls) == 1


@pytest.mark.parametrize("trouble", [BreakAfter, SilentAfter, EngineDies, EndsEarly])
async def test_what_had_arrived_is_kept_with_the_failure(trouble: type) -> None:
    async with (
        ScriptedServer([trouble(ANSWER, 6), ANSWER]) as server,
        client(server.base_url, idle_timeout=0.1) as model,
    ):
        (failed,) = failures_of(await parts_of(model))
    assert failed.reasoning == "Easy."
    assert "Two files".startswith(failed.content)
    assert failed.content
    assert failed.generated_ids == encode(f"Easy.</think>{failed.content}")


@pytest.mark.parametrize(
    ("refusal", "kind", "words"),
    [
        (HttpError(401), "unauthorized", "SII_API_KEY"),
        (HttpError(404, {"detail": "Not Found"}), "bad_url", "SII_BASE_URL"),
        (HttpError(400), "bad_request", "says 400"),
        (
            HttpError(
                400,
                {
                    "error": {
                        "message": '"auto" tool choice requires --enable-auto-tool-choice and '
                        "--tool-call-parser to be set",
                        "code": 400,
                    }
                },
            ),
            "tools_refused",
            "--tool-call-parser glm45",
        ),
    ],
)
async def test_what_will_not_pass_is_not_tried_again(
    refusal: HttpError, kind: str, words: str
) -> None:
    async with ScriptedServer([refusal]) as server, client(server.base_url) as model:
        parts = await parts_of(model)
        assert len(server.requests) == 1
    assert isinstance(parts[-1], RequestFailed)
    failure = parts[-1].failure
    assert isinstance(failure, ModelCallRefused)
    assert (failure.kind, parts[-1].retry_in) == (kind, None)
    assert words in str(failure)
