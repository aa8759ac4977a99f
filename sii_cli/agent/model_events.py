"""What a model's stream yields → what is recorded of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recordings.events import ModelError, RoundStatus, StreamTiming, Usage
from sii_cli.agent.flow import ContextOverflow, RoundOver
from sii_cli.model.types import Completion, Failed, Fault, TokenUsage

FAULT_STATUS: dict[Fault, RoundStatus] = {
    "infra": "infra",
    "overflow": "limit",
    "refused": "failed",
}


def model_error(step: int, failed: Failed) -> ModelError:
    """Return the event of an attempt that failed."""
    return ModelError(
        step=step,
        attempt=failed.attempt,
        kind=failed.kind,
        message=failed.message,
        status=failed.status,
        retry_in=failed.retry_in,
        reasoning=failed.reasoning,
        content=failed.content,
        generated_ids=failed.generated_ids,
    )


def give_up(failed: Failed) -> None:
    """Raise `RoundOver` for an attempt after which there is none; `ContextOverflow` is one."""
    if failed.retry_in is not None:
        return
    if failed.fault == "overflow":
        raise ContextOverflow(failed.message)
    raise RoundOver(FAULT_STATUS[failed.fault], failed.message)


def completion_fields(done: Completion, flags: Sequence[str] = ()) -> dict[str, Any]:
    """Return what the events of a response have in common; `flags` come on top of its own."""
    return {
        "attempt": done.attempt,
        "response_id": done.response_id,
        "reasoning": done.reasoning,
        "content": done.content,
        "finish_reason": done.finish_reason,
        "stop_reason": done.stop_reason,
        "complete": done.complete,
        "usage": _usage(done.usage) if done.usage else None,
        "generated_ids": done.generated_ids,
        "timing": StreamTiming(
            first_chunk=done.first_chunk,
            first_token=done.first_token,
            total=done.total,
            chunks=done.chunks,
        ),
        "fingerprint": done.fingerprint,
        "flags": [*done.flags, *flags],
    }


def _usage(usage: TokenUsage) -> Usage:
    return Usage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=usage.cached_tokens,
        reasoning_tokens=usage.reasoning_tokens,
    )
