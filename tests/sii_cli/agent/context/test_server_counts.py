"""The server counts a text and a whole prompt as it will read it; silence is not an error."""

from __future__ import annotations

from recordings.conversation.messages import encode_message
from sii_cli.model.types import STREAMING, ChatRequest
from sii_cli.model.vllm import VllmModel
from tests.fakes.script import Turn
from tests.fakes.scripted_server import ScriptedServer

TOOLS = b'[{"type":"function","function":{"name":"bash"}}]'
MESSAGES = [
    encode_message({"role": "user", "content": "What is it?"}),
    encode_message(
        {
            "role": "assistant",
            "content": "",
            "reasoning_content": "I have to look.",
            "tool_calls": [
                {
                    "id": "1",
                    "type": "function",
                    "function": {"name": "bash", "arguments": '{"command":"ls"}'},
                }
            ],
        }
    ),
    encode_message({"role": "tool", "tool_call_id": "1", "content": "a.py"}),
]


async def test_a_prompt_is_counted_as_it_is_read() -> None:
    async with ScriptedServer([Turn("Fine.")]) as server:
        model = VllmModel(base_url=server.base_url)
        served = await model.describe()
        request = ChatRequest(
            request_id="r",
            messages=MESSAGES,
            tools=TOOLS,
            params={
                "model": served.name,
                **STREAMING,
                "chat_template_kwargs": {"clear_thinking": False},
            },
        )
        counted = await model.count_tokens(request)
        async for _ in model.stream(request):
            pass
        assert counted == len(server.requests[-1].prompt_ids)
        assert await model.count_tokens("one two") == 2
        await model.aclose()


async def test_a_server_that_does_not_tell_counts_nothing() -> None:
    async with ScriptedServer() as server:
        model = VllmModel(base_url=server.base_url)
    assert await model.count_tokens("one two") is None
    await model.aclose()
