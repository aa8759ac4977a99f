"""Generated ids → reasoning, content and calls, as they arrive.

A control token is one id, so nothing that a model spells in text can end a thought or begin a call.
A control token that has no use where it comes is text, and flagged.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

from recordings.events import CallRequest, Flag
from sii_cli.model.ids.call_reader import CallReader, Emitted, JsonReader, PairsReader
from sii_cli.model.ids.values import ArgumentTypes, LiteralRoom
from sii_cli.model.ids.writer import Writer
from sii_cli.model.response_limits import MOST_CALLS, ResponseTooLarge
from sii_cli.model.types import Delta


class _At(Enum):
    START = auto()
    THOUGHT = auto()
    CONTENT = auto()
    CALL = auto()


@dataclass(frozen=True, slots=True)
class _Marks:
    """The control tokens that part a response, by their text."""

    thought: str
    thought_end: str
    call: str
    call_end: str
    in_call: tuple[str, str, str, str] | None
    """Around keys and values, in a form that has them."""


class Reader:
    """Reads one response. Feed it ids in any pieces, then finish it."""

    def __init__(self, writer: Writer, types: ArgumentTypes, *, in_thought: bool) -> None:
        """`in_thought`: the prompt has begun the reasoning."""
        self._vocabulary = writer.vocabulary
        self._stops = writer.stops
        self._types = types
        self._marks = _marks(writer)
        self._call_stop = writer.vocabulary.control.get(writer.form.call_stop)
        self._after_thought = writer.form.after_thought
        self._at = _At.THOUGHT if in_thought else _At.START
        self._open = b""
        """The beginning of a character."""
        self._reasoning: list[str] = []
        self._content: list[str] = []
        self._calls: list[CallReader] = []
        self._space: list[str] = []
        """White space at the beginning, which may come before a thought."""
        self._flags: set[Flag] = set()
        self._ids: list[int] = []
        self._stops_read = 0
        self._literal_room = LiteralRoom()
        self.reasoning_tokens = 0
        self.characters = 0
        """Of all that was fed, also of what is not text of the response yet."""

    @property
    def reasoning(self) -> str:
        """The reasoning so far."""
        return "".join(self._reasoning)

    @property
    def content(self) -> str:
        """The content so far."""
        return "".join(self._content)

    @property
    def stop(self) -> int | None:
        """The token that ended the response, or `None` when it did not end."""
        last = self._ids[-1] if self._ids else None
        return last if last in self._stops else None

    @property
    def flags(self) -> list[Flag]:
        """What is doubtful about the response, known when it is finished."""
        found = self._flags.union(*(call.flags for call in self._calls))
        if self.stop is not None and not self._are_calls_sound():
            found.add("call_not_parsed")
        if self._stops_read > (self.stop is not None):
            found.add("control_in_text")
        return sorted(found)

    @property
    def text(self) -> str:
        """What the ids spell, control tokens included, without the token that ended them."""
        ids = self._ids[:-1] if self.stop is not None else self._ids
        return self._vocabulary.spell(ids)

    def calls(self, response_id: str | None) -> list[CallRequest]:
        """Return the calls, or an empty list where one of them cannot be read."""
        if not self._are_calls_sound():
            return []
        return [
            CallRequest(
                index=index,
                call_id=f"call-{response_id}-{index}",
                name=call.name,
                arguments=call.arguments,
                pairs=call.pairs,
            )
            for index, call in enumerate(self._calls)
        ]

    def feed(self, ids: Sequence[int]) -> list[Delta]:
        """Take the next ids; return the text in them. Raises `ResponseTooLarge`."""
        deltas: list[Delta] = []
        names, bytes_of = self._vocabulary.names, self._vocabulary.bytes_of
        run: list[bytes] = []
        for token in ids:
            if token not in names:
                run.append(bytes_of(token))
                self.reasoning_tokens += self._at is _At.THOUGHT
                continue
            self._end_run(run, deltas, final=True)
            self.characters += len(names[token])
            if token in self._stops:
                self._stops_read += 1
            else:
                deltas += self._control(names[token])
        self._end_run(run, deltas, final=False)
        self._ids += ids
        return deltas

    def finish(self) -> list[Delta]:
        """Nothing follows; return the rest of the text."""
        deltas: list[Delta] = []
        self._end_run([], deltas, final=True)
        if self._at is _At.THOUGHT:
            self._flags.add("thought_unterminated")
        elif self._at is _At.CALL:
            self._calls[-1].cut_off()
        return deltas

    def _are_calls_sound(self) -> bool:
        if not self._calls:
            return self._call_stop is None or self.stop != self._call_stop
        is_in_order = "thought_unterminated" not in self._flags
        return is_in_order and all(call.is_whole for call in self._calls)

    def _end_run(self, run: list[bytes], deltas: list[Delta], *, final: bool) -> None:
        """Take a run of plain tokens as text. `final`: no part of a character may stay open."""
        if not run and not self._open:
            return
        data = b"".join((self._open, *run))
        text, used = codecs.utf_8_decode(data, "replace", final)
        self._open = data[used:]
        self.characters += len(text)
        run.clear()
        if text:
            deltas += self._text(text)

    def _text(self, text: str) -> list[Delta]:
        match self._at:
            case _At.THOUGHT:
                self._reasoning.append(text)
                return [Delta("reasoning", text)]
            case _At.CALL:
                return self._of_call(self._calls[-1].text(text))
            case _At.START:
                self._space.append(text)
                if not text.strip():
                    return []
                text, self._space = "".join(self._space), []
                self._at = _At.CONTENT
        if self._calls and text.strip():
            self._flags.add("text_after_call")
        self._content.append(text)
        return [Delta("content", text)]

    def _control(self, name: str) -> list[Delta]:
        marks = self._marks
        if self._at is _At.CALL:
            return self._control_in_call(name)
        if name == marks.thought and self._at is _At.START:
            self._at, self._space = _At.THOUGHT, []
        elif name == marks.thought_end and self._at in (_At.START, _At.THOUGHT):
            self._at, self._space = _At.CONTENT, []
        elif name == marks.call:
            if self._at is _At.THOUGHT:
                self._flags.add("thought_unterminated")
            self._begin_call()
        else:
            self._flags.add("control_in_text")
            return self._text(name)
        return []

    def _begin_call(self) -> None:
        if len(self._calls) >= MOST_CALLS:
            raise ResponseTooLarge(f"more than {MOST_CALLS:,} tool calls")
        self._at, self._space = _At.CALL, []
        in_call = self._marks.in_call
        self._calls.append(
            JsonReader()
            if in_call is None
            else PairsReader(self._types, in_call, self._literal_room)
        )

    def _control_in_call(self, name: str) -> list[Delta]:
        call = self._calls[-1]
        if name != self._marks.call_end:
            return self._of_call(call.control(name))
        self._at = _At.CONTENT
        return self._of_call(call.end())

    def _of_call(self, emitted: Emitted) -> list[Delta]:
        index = len(self._calls) - 1
        return [
            Delta("call_name" if what == "name" else "call_arguments", text, index)
            for what, text in emitted
        ]


@lru_cache(maxsize=8)
def _marks(writer: Writer) -> _Marks:
    names, form = writer.vocabulary.names, writer.form

    def mark(text: str) -> str:
        token = writer.control_in(text)
        return "" if token is None else names[token]

    (before_key, after_key), (before_value, after_value) = form.key, form.value
    in_call = mark(before_key), mark(after_key), mark(before_value), mark(after_value)
    return _Marks(
        thought=mark(form.thought[0]),
        thought_end=mark(form.thought[1]),
        call=mark(form.call[0]),
        call_end=mark(form.call[1]),
        in_call=in_call if form.calls == "pairs" else None,
    )
