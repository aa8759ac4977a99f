"""What compaction leaves out of a full context, decided on sizes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from recordings.conversation.restore import SentMessage
from sii_cli.agent.context.tokens import FRAME, estimate, text_of

STUB_TOKENS = 24
"""Tokens of a stub, about; a shorter observation is kept."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A message of the history, and its share of the context."""

    message: SentMessage
    role: str
    tokens: int
    call_id: str = ""
    """Of an observation."""
    chars: int = 0
    """Of its content."""


Unit = list[HistoryEntry]
"""Messages that are kept or left out together: a user's, or the model's with the observations of
its calls."""


def measure(messages: Sequence[SentMessage], total: int) -> list[HistoryEntry]:
    """Distribute the tokens of the whole history over its messages, by their length."""
    guesses = [estimate(text_of(message.encoded)) + FRAME for message in messages]
    scale = total / max(1, sum(guesses))
    return [
        _entry(message, round(guess * scale))
        for message, guess in zip(messages, guesses, strict=True)
    ]


def size(entries: Sequence[HistoryEntry]) -> int:
    """Return the tokens of some entries."""
    return sum(entry.tokens for entry in entries)


def to_stub(entries: Sequence[HistoryEntry], too_many: int) -> list[HistoryEntry]:
    """Return the observations to leave out, oldest first, so that `too_many` tokens are freed.

    The last step keeps its own. All others are returned when they are not enough.
    """
    chosen: list[HistoryEntry] = []
    for entry in entries[: _last_step(entries)]:
        if too_many <= 0:
            break
        if entry.role == "tool" and entry.tokens > 2 * STUB_TOKENS:
            chosen.append(entry)
            too_many -= entry.tokens - STUB_TOKENS
    return chosen


def freed(chosen: Sequence[HistoryEntry]) -> int:
    """Return the tokens that are freed by stubs instead of these observations."""
    return sum(entry.tokens - STUB_TOKENS for entry in chosen)


def split(entries: Sequence[HistoryEntry]) -> tuple[list[HistoryEntry], list[Unit]]:
    """Return the system prompt, and what follows it in units."""
    front = 1 if entries and entries[0].role == "system" else 0
    units: list[Unit] = []
    for entry in entries[front:]:
        if entry.role in ("user", "assistant") or not units:
            units.append([entry])
        else:
            units[-1].append(entry)
    return list(entries[:front]), units


def last_units(units: Sequence[Unit], room: int) -> list[Unit]:
    """Return as many of the last units as fit."""
    kept: list[Unit] = []
    for unit in reversed(units):
        room -= size(unit)
        if room < 0:
            break
        kept.insert(0, unit)
    return kept


def user_words(units: Sequence[Unit], room: int, *, keep_last: bool) -> list[HistoryEntry]:
    """Return the user's messages that fit: the last and the first before the others, new to old.

    With `keep_last` the last one is kept whatever its size.
    """
    said = [unit[0] for unit in units if unit[0].role == "user"]
    if not said:
        return []
    chosen: set[int] = set()
    if keep_last:
        chosen.add(said[-1].message.seq)
        room -= said[-1].tokens
    for entry in (said[-1], said[0], *reversed(said[1:-1])):
        if entry.message.seq not in chosen and entry.tokens <= room:
            chosen.add(entry.message.seq)
            room -= entry.tokens
    return [entry for entry in said if entry.message.seq in chosen]


def without_oldest(entries: Sequence[HistoryEntry], too_many: int) -> list[HistoryEntry]:
    """Leave out whole steps, oldest first, to free `too_many` tokens; user messages are kept."""
    front, units = split(entries)
    kept = []
    for unit in units:
        if too_many > 0 and unit[0].role != "user":
            too_many -= size(unit)
        else:
            kept.append(unit)
    return front + [entry for unit in kept for entry in unit]


def stubbed(entry: HistoryEntry, message: SentMessage) -> HistoryEntry:
    """Return the entry of a stub that replaces an observation."""
    return replace(entry, message=message, tokens=STUB_TOKENS)


def _last_step(entries: Sequence[HistoryEntry]) -> int:
    """Return where the last step begins."""
    roles = [entry.role for entry in entries]
    return max((at for at, role in enumerate(roles) if role in ("user", "assistant")), default=0)


def _entry(message: SentMessage, tokens: int) -> HistoryEntry:
    parsed: dict[str, Any] = orjson.loads(message.encoded)
    call_id = str(parsed.get("tool_call_id", ""))
    return HistoryEntry(message, parsed["role"], tokens, call_id, len(parsed.get("content") or ""))
