"""The prompt of a session as ids: what was generated stays as it was, what is new is added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from recordings.conversation.restore import SentMessage
from recordings.redaction.redactor import BLANK
from sii_cli.model.continuity import is_of_user
from sii_cli.model.ids.writer import Writer

Retain = Literal["template", "loop", "all"]
"""What becomes of the reasoning of earlier rounds: it is dropped after a user's message; after one
that begins a round; it is kept."""


@dataclass(frozen=True, slots=True)
class _Part:
    """The ids of one message."""

    role: str
    ids: list[int]


class Transcript:
    """Makes prompts of messages. The same messages give the same ids, also after a resume."""

    def __init__(self, writer: Writer, front: Sequence[int], retain: Retain) -> None:
        """`front`: the ids of the system prompt and the tools, as the server renders them."""
        self.writer = writer
        self.retain = retain
        self._front = list(front)
        self._parts: dict[tuple[int, bool], _Part] = {}
        """By event, and whether the reasoning is dropped."""

    def prompt(self, messages: Sequence[SentMessage], *, thinking: bool | None = None) -> list[int]:
        """Return the prompt of these messages, the first of which is the system prompt.

        `thinking`: whether the response thinks, where that is not as in the rest of the session.
        """
        prompt = _Prompt(self.writer, self._front)
        border = self._border(messages)
        for place, message in enumerate(messages[1:], start=1):
            prompt.add(self._part(message, dropped=place < border))
        return prompt.end(self.writer.opening(thinking=thinking))

    def _border(self, messages: Sequence[SentMessage]) -> int:
        """Return the place before which reasoning is dropped."""
        if self.retain == "all":
            return 0
        users = (
            place
            for place in range(len(messages) - 1, 0, -1)
            if is_of_user(messages[place].encoded)
            and not (self.retain == "loop" and messages[place].steers)
        )
        return next(users, 0)

    def _part(self, message: SentMessage, *, dropped: bool) -> _Part:
        key = message.seq, dropped
        part = self._parts.get(key)
        if part is None:
            part = self._written(message, dropped)
            if message.seq >= 0:
                self._parts[key] = part
        return part

    def _written(self, message: SentMessage, dropped: bool) -> _Part:
        parsed: dict[str, Any] = orjson.loads(message.encoded)
        content = parsed.get("content") or ""
        match parsed["role"]:
            case "user":
                ids = self.writer.user(content)
            case "system":
                ids = self.writer.system(content)
            case "tool":
                ids = self.writer.result(content)
            case _ if message.generated and BLANK not in message.generated:
                ids = self._generated(message, message.generated, dropped)
            case _:
                ids = self._retold(parsed, content, dropped)
        return _Part(parsed["role"], ids)

    def _generated(self, message: SentMessage, ids: list[int], dropped: bool) -> list[int]:
        """Return a turn as it was generated, without its reasoning where that is dropped."""
        opening = message.opening or self.writer.opening()
        if ids[-1] not in self.writer.stops:
            ids = self._rounded_off(opening, ids)
        end = self.writer.thought_end
        if dropped and end in ids:
            rest = ids[ids.index(end) + 1 :]
            return [*self.writer.dropped, *self._without_space(rest)]
        return [*opening, *ids]

    def _rounded_off(self, opening: list[int], ids: list[int]) -> list[int]:
        """End a turn that was cut off: an open call is taken back, an open thought is ended."""
        starts = [at for at, token in enumerate(ids) if token == self.writer.call_start]
        if starts and self.writer.call_end not in ids[starts[-1] :]:
            return ids[: starts[-1]]
        end = self.writer.thought_end
        is_open = self.writer.opens_thought(opening) or self.writer.opens_thought(ids)
        return [*ids, end] if end is not None and is_open and end not in ids else ids

    def _without_space(self, ids: list[int]) -> list[int]:
        """Leave out the text after a thought that goes with it."""
        space = self.writer.form.after_thought.encode()
        for count in range(1, len(ids) + 1):
            spelled = b"".join(map(self.writer.vocabulary.bytes_of, ids[:count]))
            if not space or not space.startswith(spelled):
                break
            if spelled == space:
                return ids[count:]
        return ids

    def _retold(self, message: dict[str, Any], content: str, dropped: bool) -> list[int]:
        """Return a turn of which there are no ids to send: edited, imported, or with a secret."""
        reasoning = message.get("reasoning_content") or None
        calls = [call["function"] for call in message.get("tool_calls") or ()]
        return self.writer.turn(
            None if dropped else reasoning,
            content,
            [(call["name"], orjson.loads(call["arguments"])) for call in calls],
        )


class _Prompt:
    """A prompt that grows message by message."""

    def __init__(self, writer: Writer, front: Sequence[int]) -> None:
        self._writer = writer
        self._ids = list(front)
        self._after_turn = False
        self._observations: list[list[int]] = []

    def add(self, part: _Part) -> None:
        if part.role == "tool":
            self._observations.append(part.ids)
            return
        self._add_observations()
        self._append(part.ids)
        self._after_turn = part.role == "assistant"

    def end(self, opening: list[int]) -> list[int]:
        self._add_observations()
        self._append(opening)
        return self._ids

    def _add_observations(self) -> None:
        if self._observations:
            ids = self._writer.results(self._observations)
            self._observations = []
            self._append(ids)

    def _append(self, ids: list[int]) -> None:
        if self._after_turn:
            self._end_turn()
            self._after_turn = False
        self._ids += ids

    def _end_turn(self) -> None:
        """End the model's turn: by the token that ends all, or by the role that follows."""
        has_stop = self._ids[-1] in self._writer.stops
        if has_stop:
            self._ids.pop()  # the same comes next, or another in its place
        if self._writer.turn_end is not None:
            self._ids += [self._writer.turn_end, *self._writer.after_turn]
