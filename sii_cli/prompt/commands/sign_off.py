"""Commands with which practitioners say what they think of a session."""

from __future__ import annotations

import re

from sii_cli.prompt.slash import SlashCommand, SlashPrompt, Words
from sii_cli.session.done_words import parse_done

_FLAGS = "good, bad, wrong, wasteful, unsafe, wrong_observation, unclear or star"
_MARK = re.compile(r"(?:#(?P<step>\d{1,9})\s+)?(?P<word>\w+)(?:\s+(?P<comment>.+))?", re.DOTALL)


async def _mark(prompt: SlashPrompt, words: str) -> None:
    match = _MARK.fullmatch(words)
    assert match is not None
    step = int(match["step"]) if match["step"] else None
    await prompt.session.sign_off.mark(match["word"], match["comment"] or "", step)


async def _done(prompt: SlashPrompt, words: str) -> None:
    await prompt.session.sign_off.end_task(*parse_done(words))


async def _note(prompt: SlashPrompt, words: str) -> None:
    await prompt.session.sign_off.leave_note(words)


MARK = SlashCommand(
    f"mark the last step, or step #N: {_FLAGS}; then words, if you like",
    _mark,
    Words(f"{_FLAGS}, perhaps after #STEP, perhaps with words", lambda w: bool(_MARK.fullmatch(w))),
    at_once=True,
)
DONE = SlashCommand(
    "the task is done, in your judgement; `/done no`: it is not; then words, if you like",
    _done,
    Words("`no` and words", lambda words: True),
)
NOTE = SlashCommand(
    "leave words to the next person; the model never reads them",
    _note,
    Words("the words"),
    at_once=True,
)
