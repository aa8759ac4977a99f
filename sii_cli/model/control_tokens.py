"""Control tokens in text, defused: a file that says `<|assistant|>` must not forge a turn.

The tokenizer turns such text into the real special tokens wherever it stands, so a zero-width
character is put before the token's last one. `restore` takes it out again.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from typing import Any

from sii_cli.model.profiles import control_tokens

MARK = "\u2060"  # WORD JOINER: shown as nothing, copied with the text, rare in the wild
ESCAPED_MARK = r"\u2060"


def neutralise(text: str) -> tuple[str, list[tuple[str, int]]]:
    """Return the text with control tokens defused, and each token found with its count."""
    counts: dict[str, int] = {}

    def defuse(found: re.Match[str]) -> str:
        token = found.group()
        counts[token] = counts.get(token, 0) + 1
        return token[:-1] + MARK + token[-1]

    return _tokens().sub(defuse, text), sorted(counts.items())


def neutralise_arguments(arguments: str) -> tuple[str, list[tuple[str, int]]]:
    """Like `neutralise`, for JSON: a template renders its strings, in which escapes are undone.

    Only where a token is hidden in escapes is the JSON written anew.
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


def restore(text: str) -> str:
    """Undo `neutralise` in what the model quotes: text, or JSON that holds it, escaped or not."""

    def arm(found: re.Match[str]) -> str:
        return found.group().replace(MARK, "").replace(ESCAPED_MARK, "")

    return _defused().sub(arm, text)


@cache
def _tokens() -> re.Pattern[str]:
    return _any_of(control_tokens())


@cache
def _defused() -> re.Pattern[str]:
    marks = (MARK, ESCAPED_MARK)
    return _any_of(token[:-1] + mark + token[-1] for token in control_tokens() for mark in marks)


def _any_of(tokens: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(tokens, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)))
