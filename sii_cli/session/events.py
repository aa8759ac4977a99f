"""The events with which a session starts, is resumed and ends."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from recordings.conversation.restore import Conversation
from recordings.events import (
    ModelChange,
    ParkedStatus,
    SessionEnd,
    SessionResume,
    SessionStart,
    WireInfo,
)
from sii_cli import __version__
from sii_cli.agent.loop import AgentLoop
from sii_cli.assembly import Mode
from sii_cli.config.settings import Settings
from sii_cli.model.types import ServedModel
from tools.toolbox import Toolbox


@dataclass(frozen=True, slots=True)
class QueryOrigin:
    """Where a session's task comes from, when it comes from a query file (`SessionStart`)."""

    query: str | None = None
    batch: str | None = None
    attempt: int | None = None
    variant: dict[str, Any] = field(default_factory=dict)
    author: str | None = None
    source: str | None = None
    license: str | None = None
    rubric: str | None = None
    tags: list[str] = field(default_factory=list)


NO_QUERY = QueryOrigin()


def session_start(
    settings: Settings,
    mode: Mode,
    served: ServedModel,
    toolbox: Toolbox,
    about: QueryOrigin,
    prompt: str,
    wire: WireInfo | None = None,
) -> SessionStart:
    """Return the first event of a new recording, with this system prompt."""
    return SessionStart(
        **asdict(about),
        sii_version=__version__,
        mode=mode,
        workspace=str(settings.workspace),
        model=served.name,
        base_url=served.base_url,
        server=served.details,
        context_length=served.context_length,
        system_prompt=prompt,
        tools=toolbox.schemas,
        tools_sha256=toolbox.sha256,
        settings=settings.without_secrets(),
        wire=wire,
        speaker=settings.speaker,
    )


def session_resume(
    settings: Settings, served: ServedModel, restored: Conversation, wire: WireInfo
) -> SessionResume:
    """Return the event with which a recording is resumed."""
    return SessionResume(
        sii_version=__version__,
        model=served.name,
        base_url=served.base_url,
        server=served.details,
        settings=settings.without_secrets(),
        wire=wire,
        lost=restored.under_way,
    )


def model_change(settings: Settings, served: ServedModel, wire: WireInfo) -> ModelChange:
    """Return the event with which a session continues with another model."""
    return ModelChange(
        model=served.name,
        base_url=served.base_url,
        server=served.details,
        context_length=served.context_length,
        thinking=settings.enable_thinking,
        wire=wire,
        speaker=settings.speaker,
    )


OFF = "the human ended the recording"
"""Reason of the end of a recording whose session goes on."""


def session_end(
    loop: AgentLoop, reason: str = "", parked: ParkedStatus | None = None
) -> SessionEnd:
    """Return the last event of a recording; `parked`: it is continued later."""
    ended = loop.ended
    return SessionEnd(
        status=parked or (ended.status if ended and ended.status != "answered" else "done"),
        reason=reason or (ended.reason if ended else ""),
        rounds=loop.rounds,
        steps=loop.steps,
        usage=loop.usage,
        breaks=loop.breaks,
    )
