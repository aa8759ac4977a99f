"""What the flags of a response mean, in words for the user."""

from __future__ import annotations

from collections.abc import Iterable

from recordings.events.names import Flag

FLAGS: dict[Flag, str] = {
    "usage_missing": "the server reported no token counts",
    "ids_missing": "the server reported no token ids, so exact samples cannot be made",
    "ids_count_differs": "the server reported more or fewer generated ids than it counted",
    "prompt_ids_count_differs": "the server reported more or fewer prompt ids than it counted",
    "ended_at_limit": "the response ended at a limit, though the server calls it complete",
    "call_not_parsed": "the model made a call, and the server's parser found none",
    "control_tokens_written": "the model wrote control tokens; they are sent back neutralised",
    "reasoning_differs": "the reasoning in the ids is not the reasoning that was shown",
    "content_differs": "the answer in the ids is not the answer that was shown",
    "calls_differ": "the calls in the ids are not those that were run",
    "call_unterminated": "the model did not end a call, and it was run",
    "call_form_forced": "calls were forced into a form that this model was not trained on",
    "text_moved": "the model wrote text between or after calls; it is sent back before them",
    "whitespace_differs": "spaces in the ids are missing in the text",
    "text_unchecked": "the server did not decode the ids in time",
    "redacted": "a secret was removed, with the ids that spelled it",
    "key_twice": "the model wrote a key twice in a call, which was not run",
    "control_in_text": "the model wrote a control token where it has no use",
    "text_after_call": "the model wrote text between or after calls",
    "thought_unterminated": "the model did not end its reasoning",
    "argument_unterminated": "the model did not end an argument of a call, which was not run",
    "prompt_ids_differ": "the server read other ids than were sent",
    "mark_copied": "the model copied the mark that keeps a control token from being read as one",
    "logprobs_missing": "the server did not report a log probability for each generated id",
    "written_turn": "no model generated this response: it was written by hand",
}
"""By name. A response has them, or the `raw_generation` that follows it."""

SETTLED: set[Flag] = {
    *("redacted", "written_turn", "ids_missing", "usage_missing", "logprobs_missing"),
}
"""Flags that are the same for every step of a session, or were asked for: shown once."""


def describe_flags(flags: Iterable[Flag]) -> str:
    """Describe flags in words; an unknown one is its own name."""
    return "; ".join(FLAGS.get(flag, flag) for flag in flags)
