"""Names that a later version may add to.

Code is checked against the known names by the type checker. A recording may hold a name that a
later version added, so reading accepts any text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

KnownFlag = Literal[
    "usage_missing",
    "ids_missing",
    "ids_count_differs",
    "prompt_ids_count_differs",
    "ended_at_limit",
    "call_not_parsed",
    "control_tokens_written",
    "reasoning_differs",
    "content_differs",
    "calls_differ",
    "call_unterminated",
    "call_form_forced",
    "text_moved",
    "whitespace_differs",
    "text_unchecked",
    "redacted",
    "written_turn",
    "key_twice",
    "control_in_text",
    "text_after_call",
    "thought_unterminated",
    "argument_unterminated",
    "prompt_ids_differ",
    "mark_copied",
    "logprobs_missing",
]
"""Doubts about a response; `recordings.flags` describes each."""

KnownModelError = Literal[
    "connect",
    "dns",
    "tls",
    "timeout",
    "idle",
    "broken_stream",
    "no_finish",
    "garbage",
    "engine_dead",
    "unauthorized",
    "unknown_model",
    "tools_refused",
    "overflow",
    "bad_request",
    "rate_limited",
    "unavailable",
    "server_error",
    "bad_url",
    "bad_profile",
    "interrupted",
]
"""Why a request to the model failed."""

KnownReason = Literal[
    "repetition",
    "cut_off",
    "stopped",
    "call_not_parsed",
    "empty",
    "new_sandbox",
    "workspace_changed",
    "undo",
    "human_command",
    "data_sets",
    "imported",
]
"""Why the harness sent the model a message."""

if TYPE_CHECKING:
    Flag = KnownFlag
    ModelErrorKind = KnownModelError
    HarnessReason = KnownReason
else:
    Flag = ModelErrorKind = HarnessReason = str
