"""What the flags of a model's response mean, in words for the user: the one place for them."""

from __future__ import annotations

from collections.abc import Iterable

from recordings.events.names import Flag

FLAGS: dict[Flag, str] = {
    "usage_missing": "the server counted no tokens",
    "ids_missing": "the server gave no token ids: exact samples cannot be made",
    "ids_count_differs": "the server gave more or fewer generated ids than it counted",
    "prompt_ids_count_differs": "the server gave more or fewer prompt ids than it counted",
    "ended_at_limit": "the message ended at a limit, though the server calls it whole",
    "call_not_parsed": "a call was made, and the server's parser found none",
    "control_tokens_written": "the model wrote control tokens; they go back to it defused",
    "reasoning_differs": "the reasoning in the ids is not the reasoning that was shown",
    "content_differs": "the answer in the ids is not the answer that was shown",
    "calls_differ": "the calls in the ids are not those that were run",
    "call_unterminated": "a call was not ended by the model, and was run all the same",
    "call_form_forced": "calls were forced into a form that this model was not trained on",
    "text_moved": "text stood between or after calls; sent back, it stands before them",
    "whitespace_differs": "spaces in the ids were lost on the way to the screen",
    "text_unchecked": "the server did not tell in time what the ids say",
    "redacted": "a secret was taken out, and the ids that spelled it",
    "written_turn": "no model said this: the turn was written",
}
"""By name. A response carries them, or the `raw_generation` that follows it."""

SETTLED: set[Flag] = {"redacted", "written_turn", "ids_missing", "usage_missing"}
"""Flags that are the same for every step of a session, or were asked for: told once."""


def describe_flags(flags: Iterable[Flag]) -> str:
    """Say flags in words; one that is not known stands as it is."""
    return "; ".join(FLAGS.get(flag, flag) for flag in flags)
