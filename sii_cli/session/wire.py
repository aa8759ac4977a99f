"""Opens the wire of a session: what makes its prompts, and what its recording says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from recordings.conversation.restore import Conversation
from recordings.events import WireInfo
from sii_cli.errors import UsageError
from sii_cli.model.control_tokens import neutralise
from sii_cli.model.types import Model, ServedModel

if TYPE_CHECKING:
    from sii_cli.model.ids.wire import IdsPrompts

NO_FRONT = "the server does not render the system prompt and the tools as ids (/tokenize)"


@dataclass(frozen=True, slots=True)
class SessionWire:
    """How one session sends its prompts."""

    info: WireInfo
    prompts: IdsPrompts | None = None
    """What makes the prompts of the ids wire."""


async def open_wire(
    served: ServedModel,
    model: Model,
    params: dict[str, Any],
    system_prompt: str,
    tools: Sequence[dict[str, Any]],
) -> SessionWire:
    """Return the wire of a session with this system prompt and these tools."""
    if served.wire is None:
        return SessionWire(WireInfo(kind="messages", why=served.why_messages))
    from sii_cli.model.ids.prove import render_front

    kwargs = params.get("chat_template_kwargs", {})
    front = await render_front(model.render, served.name, system_prompt, list(tools), kwargs)
    if front is None:
        return SessionWire(WireInfo(kind="messages", why=NO_FRONT))
    return SessionWire(served.wire.info, served.wire.prompts(front, tools))


def check_resumable(restored: Conversation, wire: SessionWire) -> None:
    """Raise `UsageError` where messages would make control tokens of what was sent as text."""
    was_ids = restored.wire is not None and restored.wire.kind == "ids"
    if not was_ids or wire.prompts is not None:
        return
    for message in restored.messages[1:]:
        if neutralise(message.encoded.decode())[1] or _hides_token(message.encoded):
            raise UsageError(
                "The session has text that spells control tokens, which can be sent as ids alone, "
                f"and prompts cannot be sent as ids now: {wire.info.why}."
            )


def _hides_token(encoded: bytes) -> bool:
    """Return whether a message spells a control token in JSON escapes."""
    if b"\\" not in encoded:
        return False
    parsed = orjson.loads(encoded)
    texts = [parsed.get("content") or "", parsed.get("reasoning_content") or ""]
    texts += [call["function"]["arguments"] for call in parsed.get("tool_calls") or ()]
    return any(neutralise(text)[1] or neutralise(_unescaped(text))[1] for text in texts)


def _unescaped(text: str) -> str:
    try:
        return str(orjson.loads(text))
    except orjson.JSONDecodeError:
        return text
