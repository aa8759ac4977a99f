"""Control tokens in text are neutralised: a file with `<|assistant|>` in it must not forge a turn.

The tokenizer reads such text as the real control tokens wherever it is, so a zero-width character
(the mark) is put before the token's last character. `remove_marks` takes it out again.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from recordings.events import CallRequest, Neutralised, SentTurn
from sii_cli.model.profiles import control_tokens


@dataclass(frozen=True, slots=True)
class Neutralisation:
    """What is done to text before a model reads it, and undone before a tool reads it."""

    apply: Callable[[str], tuple[str, list[tuple[str, int]]]]
    """Text → text that spells no control token, and each token found with its count."""
    undo: Callable[[str], str]


MARK = "\u2060"  # WORD JOINER: shown as nothing, copied with the text, rare in the wild
ESCAPED_MARK = r"\u2060"


def neutralise(text: str) -> tuple[str, list[tuple[str, int]]]:
    """Return the text with its control tokens marked, and each token found with its count."""
    counts: dict[str, int] = {}

    def mark(found: re.Match[str]) -> str:
        token = found.group()
        counts[token] = counts.get(token, 0) + 1
        return token[:-1] + MARK + token[-1]

    return _tokens().sub(mark, text), sorted(counts.items())


def has_marks(*texts: str | None) -> bool:
    """Return whether a text has a neutralised token: a model that read one has copied it."""
    return any(text and _marked().search(text) for text in texts)


def neutralise_arguments(arguments: str) -> tuple[str, list[tuple[str, int]]]:
    """Like `neutralise`, for JSON: a template renders its strings, in which escapes are undone.

    Only where a token is hidden in escapes is the JSON encoded again.
    """
    sent, found = neutralise(arguments)
    if "\\" not in arguments:
        return sent, found
    with suppress(ValueError, RecursionError):
        counts: Counter[str] = Counter()
        value = _neutralise_value(json.loads(arguments), counts)
        if sorted(counts.items()) != found:
            return json.dumps(value, ensure_ascii=False), sorted(counts.items())
    return sent, found


def _neutralise_value(value: Any, counts: Counter[str]) -> Any:
    match value:
        case str():
            sent, found = neutralise(value)
            counts.update(dict(found))
            return sent
        case list():
            return [_neutralise_value(item, counts) for item in value]
        case dict():
            return {
                _neutralise_value(key, counts): _neutralise_value(item, counts)
                for key, item in value.items()
            }
        case _:
            return value


def neutralise_turn(
    reasoning: str | None, content: str | None, calls: Sequence[CallRequest]
) -> tuple[SentTurn | None, list[Neutralised]]:
    """Return the model's own turn as it is sent back, and the control tokens found in it.

    It is sent as the model wrote it, with one exception: a control token in its text would be read
    as the token itself, a turn or a call that was never made. So it is neutralised as in any other
    text, also where the model generated the real token: the next prompt is a recorded drift then.
    `None` when there is no such token.
    """
    counts: Counter[str] = Counter()

    def kept(result: tuple[str, list[tuple[str, int]]]) -> str:
        counts.update(dict(result[1]))
        return result[0]

    sent = SentTurn(
        reasoning=kept(neutralise(reasoning)) if reasoning else reasoning,
        content=kept(neutralise(content)) if content else content,
        calls=[
            CallRequest(
                index=call.index,
                call_id=call.call_id,
                name=kept(neutralise(call.name)),
                arguments=kept(neutralise_arguments(call.arguments)),
            )
            for call in calls
        ],
    )
    if not counts:
        return None, []
    return sent, [Neutralised(token=token, count=count) for token, count in sorted(counts.items())]


def remove_marks(text: str) -> str:
    """Undo `neutralise` in what the model quotes: text, or JSON that holds it, escaped or not."""

    def unmark(found: re.Match[str]) -> str:
        return found.group().replace(MARK, "").replace(ESCAPED_MARK, "")

    return _marked().sub(unmark, text)


NEUTRALISED = Neutralisation(neutralise, remove_marks)
"""On the messages wire."""
AS_WRITTEN = Neutralisation(lambda text: (text, []), lambda text: text)
"""On the ids wire, where text cannot spell a control token."""


@cache
def _tokens() -> re.Pattern[str]:
    return _any_of(control_tokens())


@cache
def _marked() -> re.Pattern[str]:
    marks = (MARK, ESCAPED_MARK)
    return _any_of(token[:-1] + mark + token[-1] for token in control_tokens() for mark in marks)


def _any_of(tokens: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(tokens, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)))
