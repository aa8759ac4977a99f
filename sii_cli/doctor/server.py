"""Whether a model server returns what a recording needs: tried with a few short requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

from recordings.conversation.ids import IdTrail
from recordings.conversation.messages import encode_message, message_of
from recordings.events import CallRequest, ModelResponse
from recordings.flags import describe_flags
from recordings.storage.encoding import encode
from sii_cli.config.settings import Settings
from sii_cli.doctor import server_checks as checks
from sii_cli.doctor.server_checks import DoctorCheck
from sii_cli.model.errors import ModelCallFailed, PromptTooLong
from sii_cli.model.forms.registry import form_of
from sii_cli.model.ids.choose import choose_wire
from sii_cli.model.profiles import Profile, profile_of
from sii_cli.model.server import Server
from sii_cli.model.types import (
    STREAMING,
    ChatRequest,
    Completion,
    RequestFailed,
    ServedModel,
)
from sii_cli.model.vllm import VllmModel

MAX_TOKENS = 1024
"""Tokens of one response: room for reasoning and two calls."""
LONG_ARGUMENT = 100_000
"""Characters."""
NOTE: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "note",
        "description": "Keep a note.",
        "parameters": {
            "type": "object",
            "properties": {"text": {"type": "string"}, "tags": {"type": "array"}},
            "required": ["text"],
        },
    },
}
Message = dict[str, Any]
SYSTEM: Message = {"role": "system", "content": "This is a check of the server. " * 60}
"""Longer than the blocks (128 tokens) in which vLLM caches prefixes."""
ASK_ONE = f"Call the tool `note` once, with the text «{checks.TEXT}» and the tags [1, {{}}]."
ASK_TWO = "Call the tool `note` twice in one message: with the text `one`, and with `two`."
DEFAULT_SETTINGS = Settings()
STRICT_OFF = "start vLLM with VLLM_ENFORCE_STRICT_TOOL_CALLING=0"


class Probe:
    """The checks of one server, one after another."""

    def __init__(
        self,
        base_url: str,
        model: str | None,
        api_key: str | None,
        settings: Settings = DEFAULT_SETTINGS,
    ) -> None:
        """`settings` say how prompts are to be sent."""
        self._settings = settings
        self._server = Server(base_url, api_key)
        self._model = VllmModel(base_url=base_url, model=model, api_key=api_key, retries=0)

    async def checks(self) -> AsyncIterator[DoctorCheck]:
        """Yield what is found; ends early when the server cannot be used at all."""
        try:
            served = await self._model.describe()
        except ModelCallFailed as error:
            yield DoctorCheck("server", "fail", str(error))
            return
        profile = profile_of(served.name, str(served.details["entry"].get("root") or ""))
        yield DoctorCheck("server", "ok", f"{served.base_url} serves {served.name}")
        yield checks.known(profile)
        yield checks.version(served)
        yield checks.context(served, profile)
        yield await self._wire(served)
        greeting = [SYSTEM, _user("Say hello, in one word.")]
        first = await self._ask(served, greeting)
        if isinstance(first, RequestFailed):
            yield DoctorCheck("answer", "fail", str(first.failure))
            return
        for check in (checks.ids, checks.usage, checks.stop):
            yield check(first)
        yield checks.reasoning(first, profile)
        yield checks.cache(await self._ask(served, greeting))
        async for found in self._calls(served, profile):
            yield found
        yield await self._long_argument(served)
        yield await self._overflow(served)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._model.aclose()
        await self._server.aclose()

    async def _wire(self, served: ServedModel) -> DoctorCheck:
        """Check how prompts are sent."""
        try:
            return checks.wire(await choose_wire(self._settings, served, self._model, {}))
        except ModelCallFailed as error:
            return DoctorCheck("wire", "fail", str(error), "or set `wire` to auto")

    async def _ask(
        self,
        served: ServedModel,
        messages: list[Message],
        *,
        tools: bool = False,
        max_tokens: int = MAX_TOKENS,
    ) -> Completion | RequestFailed:
        params = {"model": served.name, **STREAMING, "max_tokens": max_tokens, "temperature": 0}
        request = ChatRequest(
            request_id=str(uuid4()),
            messages=[encode_message(message) for message in messages],
            tools=encode([NOTE]) if tools else None,
            params=params,
        )
        async for part in self._model.stream(request):
            if isinstance(part, Completion | RequestFailed):
                return part
        raise AssertionError("a stream ends with a completion or a failure")

    async def _calls(self, served: ServedModel, profile: Profile) -> AsyncIterator[DoctorCheck]:
        none = await self._ask(served, [_user("Say hello. Call no tool.")], tools=True)
        yield checks.call_count("no call", none, 0, profile)
        question = [_user(ASK_ONE)]
        one = await self._ask(served, question, tools=True)
        yield checks.call_count("one call", one, 1, profile)
        if isinstance(one, Completion) and one.calls:
            yield checks.unicode(one)
            yield checks.nested(one)
            yield await self._parser(one)
            yield await self._form(served, one, profile)
            yield await self._round_trip(served, question, one)
        two = await self._ask(served, [_user(ASK_TWO)], tools=True)
        yield checks.call_count("parallel calls", two, 2, profile)

    async def _parser(self, done: Completion) -> DoctorCheck:
        """Check whether what the parser returned is what the ids spell."""
        try:
            differences = await self._model.text_differences(done)
        except ModelCallFailed as error:
            return DoctorCheck("text and ids", "warn", str(error))
        if differences is None:
            return DoctorCheck("text and ids", "warn", "what the ids say cannot be compared")
        lost = [flag for flag in differences.flags if flag != "call_form_forced"]
        if lost:
            return DoctorCheck(
                "text and ids", "fail", describe_flags(lost), "update vLLM, see the parsers"
            )
        return DoctorCheck("text and ids", "ok", "what was shown is what the ids say")

    async def _form(self, served: ServedModel, done: Completion, profile: Profile) -> DoctorCheck:
        """Check whether calls are written in the form that the model was trained on."""
        form = form_of(profile.tool_call_parser)
        if form is None:
            return DoctorCheck(
                "call form", "warn", "not known: no module in model/forms has its parser"
            )
        text = ""
        with suppress(ModelCallFailed):
            text = await self._server.detokenize(served.name, done.generated_ids or [])
        style = form.call_style(text)
        if style is None:
            return DoctorCheck("call form", "warn", "the generated text cannot be read")
        if style.is_forced and not profile.strict_tool_calls:
            return DoctorCheck(
                "call form", "fail", f"{style.name}: forced on {profile.name}", STRICT_OFF
            )
        return DoctorCheck("call form", "ok", style.name)

    async def _round_trip(
        self, served: ServedModel, question: list[Message], done: Completion
    ) -> DoctorCheck:
        """Check whether a response that is sent back is rendered as it was generated."""
        trail = IdTrail()
        trail.advance(done.prompt_ids or [], done.generated_ids or [])
        messages = [*question, _said(done), *(_noted(call.call_id) for call in done.calls)]
        # Not `/tokenize`: it drops `reasoning_content` (vLLM 0.32), which a request keeps.
        after = await self._ask(served, messages, tools=True, max_tokens=1)
        if isinstance(after, RequestFailed):
            return DoctorCheck("template", "fail", str(after.failure))
        if after.prompt_ids is None or not len(trail):
            return DoctorCheck("template", "warn", "the server does not tell its ids")
        kept = trail.span(after.prompt_ids).keep
        if kept == len(trail):
            return DoctorCheck("template", "ok", "a turn sent back is rendered as it was generated")
        found = f"a turn sent back differs from token {kept} of {len(trail)}"
        return DoctorCheck("template", "warn", found, "every step may become a sample of its own")

    async def _long_argument(self, served: ServedModel) -> DoctorCheck:
        """Check whether a long argument in the history is accepted."""
        arguments = encode({"text": "naïve " * (LONG_ARGUMENT // 6)}).decode()
        said = _assistant(
            calls=[CallRequest(index=0, call_id="1", name="note", arguments=arguments)]
        )
        messages = [_user("Note it."), said, _noted("1")]
        ids = await self._server.tokenize(
            {"model": served.name, "messages": messages, "tools": [NOTE]}
        )
        if ids is None:
            return DoctorCheck("long argument", "warn", "an argument of 100 KB was not taken")
        return DoctorCheck("long argument", "ok", f"100 KB come to {len(ids)} tokens")

    async def _overflow(self, served: ServedModel) -> DoctorCheck:
        if served.context_length is None or served.context_length > 2_000_000:
            return DoctorCheck("overflow", "warn", "not tried: the context length is not known")
        answer = await self._ask(served, [_user("word " * (served.context_length + 16))])
        if isinstance(answer, RequestFailed) and isinstance(answer.failure, PromptTooLong):
            return DoctorCheck("overflow", "ok", "a prompt too long is refused as one")
        found = "a prompt too long was taken"
        if isinstance(answer, RequestFailed):
            found = str(answer.failure)
        return DoctorCheck(
            "overflow", "fail", found, "set --max-model-len to what the model can hold"
        )


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _noted(call_id: str) -> Message:
    return {"role": "tool", "tool_call_id": call_id, "content": "Noted."}


def _said(done: Completion) -> Message:
    """Return the message of a response as a session sends it back."""
    return _assistant(
        reasoning=done.reasoning,
        content=done.content,
        calls=list(done.calls),
    )


def _assistant(
    calls: list[CallRequest], *, reasoning: str | None = None, content: str | None = None
) -> Message:
    response = ModelResponse(
        step=1,
        attempt=1,
        reasoning=reasoning,
        content=content,
        calls=calls,
        finish_reason="tool_calls",
        complete=True,
    )
    message = message_of(response)
    assert message is not None
    return message
