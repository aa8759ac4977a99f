"""A second model that plays the user when a check has failed."""

from __future__ import annotations

from contextlib import aclosing
from importlib import resources
from uuid import uuid4

import orjson

from recordings.events import Check, SimulatedUser, Usage
from sii_cli.config.settings import Settings
from sii_cli.model.types import ChatRequest, Completion, Model, RequestFailed, ServedModel
from sii_cli.queries.queries import Query
from sii_cli.session.request_params import request_params

PROMPT = "simulated_user.md"


class UserSimulator:
    """Writes a user's messages with a model."""

    def __init__(self, model: Model, settings: Settings) -> None:
        """`settings` name the model and how it samples."""
        self._model = model
        self._settings = settings
        self._served: ServedModel | None = None
        self._prompt = resources.files(__package__).joinpath(PROMPT).read_text("utf-8")

    async def reply(self, query: Query, answer: str, check: Check) -> SimulatedUser:
        """Return the message after a failed check; may be empty. Raises `ModelCallFailed`."""
        served = self._served = self._served or await self._model.describe()
        text = self._prompt.format(query=query.query, answer=answer, output=check.output)
        message = {"role": "user", "content": text}
        request = ChatRequest(
            request_id=str(uuid4()),
            messages=[orjson.dumps(message)],
            tools=None,
            params=request_params(self._settings, served),
        )
        done = await self._answer(request)
        usage = done.usage and Usage(
            prompt_tokens=done.usage.prompt_tokens, completion_tokens=done.usage.completion_tokens
        )
        return SimulatedUser(
            round=check.round,
            model=served.name,
            messages=[message],
            reply=(done.content or "").strip(),
            usage=usage,
        )

    async def _answer(self, request: ChatRequest) -> Completion:
        async with aclosing(self._model.stream(request)) as parts:
            async for part in parts:
                if isinstance(part, Completion):
                    return part
                if isinstance(part, RequestFailed) and part.retry_in is None:
                    raise part.failure
        raise AssertionError("a model's stream ends with a completion or a final failure")
