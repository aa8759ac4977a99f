"""Holds a conversation for real: the model's part is recited, its calls run in a real sandbox.

What comes out is what sii sent to the model, so a session that goes the same way sends the same.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from recordings.conversation.messages import message_of
from recordings.events import CallRequest, Event, ModelResponse, RoundEnd
from sii_cli.config.settings import Settings
from sii_cli.model.types import (
    ChatRequest,
    Completion,
    ModelPart,
    RequestStarted,
    ServedModel,
    TextDifferences,
)
from sii_cli.session.session import Session
from tests.tiny_glm.conversations import SYSTEM_PROMPT, TOOLS, Conversation, Step


class Reciter:
    """A model that says the steps of a conversation, one a request; keeps the last request."""

    def __init__(self, conversation: Conversation) -> None:
        steps = [step for round_ in conversation.rounds for step in round_.steps]
        self._turns = iter(enumerate(steps, 1))
        self.messages: list[bytes] = []
        self.tools: bytes | None = None

    async def describe(self) -> ServedModel:
        return ServedModel("reciter", "http://reciter/v1")

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ModelPart, None]:
        self.messages, self.tools = list(request.messages), request.tools
        yield RequestStarted(1)
        number, step = next(self._turns)
        yield _completion(number, step)

    async def text_differences(self, done: Completion) -> TextDifferences | None:
        return None

    async def render(self, body: dict[str, Any]) -> list[int] | None:
        return None

    async def takes_ids(self, ids: list[int]) -> bool:
        return False

    async def count_tokens(self, what: str | ChatRequest) -> int | None:
        return None

    async def aclose(self) -> None:
        pass


def _completion(number: int, step: Step) -> Completion:
    calls = tuple(
        CallRequest(
            index=index,
            call_id=f"call-{number}-{index}",
            name=name,
            arguments=json.dumps(arguments, ensure_ascii=False),
        )
        for index, (name, arguments) in enumerate(step.calls)
    )
    return Completion(
        attempt=1,
        response_id=None,
        reasoning=step.reasoning or None,
        content=step.content or None,
        calls=calls,
        finish_reason="tool_calls" if calls else "stop",
        stop_reason=None,
        complete=True,
    )


async def observe(conversation: Conversation) -> dict[str, Any]:
    """Return the conversation as `train.py` takes it, with the observations its calls returned.

    Needs the Docker engine and the sandbox image. Raises `RuntimeError` when a round does not end
    with an answer.
    """
    reciter = Reciter(conversation)
    with tempfile.TemporaryDirectory(prefix="sii-observe-") as folder:
        answer = await _hold(conversation, reciter, Path(folder))
    thinking = conversation.enable_thinking
    return {
        "name": conversation.name,
        "messages": [*map(json.loads, reciter.messages), message_of(answer)],
        "tools": json.loads(reciter.tools or b"[]"),
        "template_kwargs": {} if thinking is None else {"enable_thinking": thinking},
    }


async def _hold(conversation: Conversation, reciter: Reciter, folder: Path) -> ModelResponse:
    """Hold all rounds; return the last answer."""
    settings = Settings(
        home=folder / "home",
        workspace=make_workspace(conversation, folder / "workspace"),
        tools=TOOLS,
        system_prompt=SYSTEM_PROMPT,
    )
    session = await Session.open(settings, mode="headless", model=reciter)
    answer: ModelResponse | None = None
    try:
        for round_ in conversation.rounds:
            async for item in session.send(round_.user):
                match item:
                    case Event(data=ModelResponse() as answer):
                        pass
                    case Event(data=RoundEnd(status=status, reason=reason)):
                        _check(conversation, status, reason)
    finally:
        await session.close()
    assert answer is not None
    return answer


def make_workspace(conversation: Conversation, folder: Path) -> Path:
    """Write the files that a conversation starts with; return the folder."""
    folder.mkdir(parents=True)
    for name, text in conversation.files.items():
        (folder / name).write_text(text, "utf-8")
    return folder


def _check(conversation: Conversation, status: str, reason: str) -> None:
    if status != "answered":
        raise RuntimeError(f"{conversation.name}: a round ended as {status}: {reason}")
