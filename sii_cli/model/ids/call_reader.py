"""Reads one call from its generated tokens: keys and values each by itself, or a JSON object."""

from __future__ import annotations

import json
import re
from enum import Enum, auto
from typing import Protocol

from recordings.events import Flag
from sii_cli.model.ids.values import ArgumentTypes, LiteralRoom, as_json

Emitted = list[tuple[str, str]]
"""What has become known of a call: pairs of `name` or `arguments`, and text."""

Pairs = list[tuple[str, str]]

_SPACE = re.compile(r"[ \t\n\r]*")


class CallReader(Protocol):
    """Reads what comes between the tokens that begin and end a call."""

    name: str
    pairs: Pairs | None
    """Keys and values as written, twice where the model wrote one twice."""
    flags: set[Flag]
    is_whole: bool
    """Whether it can be run: it was ended, and everything in it has its place."""

    @property
    def arguments(self) -> str:
        """The arguments so far, as JSON."""
        ...

    def text(self, text: str) -> Emitted:
        """Take plain text."""
        ...

    def control(self, name: str) -> Emitted:
        """Take a control token other than the one that ends a call."""
        ...

    def end(self) -> Emitted:
        """Take the token that ends the call."""
        ...

    def cut_off(self) -> None:
        """Nothing follows."""
        ...


class _At(Enum):
    NAME = auto()
    KEY = auto()
    AFTER_KEY = auto()
    VALUE = auto()
    AFTER_VALUE = auto()


class PairsReader:
    """Reads a call that gives a key and a value at a time (GLM)."""

    def __init__(
        self, types: ArgumentTypes, marks: tuple[str, str, str, str], room: LiteralRoom
    ) -> None:
        """`marks`: the control tokens before and after a key, and before and after a value."""
        self.name = ""
        self.pairs: Pairs | None = []
        self.flags: set[Flag] = set()
        self.is_whole = False
        self._types = types
        self._room = room
        self._key, self._key_end, self._value, self._value_end = marks
        self._at = _At.NAME
        self._held: list[str] = []
        """Text whose place is not known yet."""
        self._written: list[str] = []
        """The value so far."""
        self._name_of_value = ""
        self._keys: set[str] = set()
        self._shown: list[str] = []
        """The arguments as JSON, in pieces."""
        self._is_string = False
        self._is_sound = True

    @property
    def arguments(self) -> str:
        """The arguments so far, as JSON."""
        return "".join(self._shown)

    def text(self, text: str) -> Emitted:
        """Take plain text."""
        match self._at:
            case _At.VALUE:
                return self._add(text)
            case _At.AFTER_VALUE if text.strip():
                return self._resume_value(text)
            case _At.AFTER_KEY:
                self._is_sound &= not text.strip()
            case _:
                self._held.append(text)
        return []

    def control(self, name: str) -> Emitted:
        """Take a control token other than the one that ends a call."""
        match self._at, name:
            case _At.NAME, self._key:
                emitted = self._end_name()
                self._at = _At.KEY
                return emitted
            case _At.KEY, self._key_end:
                self._name_of_value, self._at = self._taken().strip(), _At.AFTER_KEY
                return []
            case _At.AFTER_KEY, self._value:
                return self._begin_value()
            case _At.VALUE, self._value_end:
                self._at = _At.AFTER_VALUE
                return []
            case _At.AFTER_VALUE, self._key:
                emitted = self._end_value()
                self._at = _At.KEY
                return emitted
            case _At.AFTER_VALUE, _:
                return self._resume_value(name)
            case _At.VALUE, _:
                self.flags.add("control_in_text")
                return self._add(name)
            case _:
                self.flags.add("control_in_text")
                self._is_sound = False
                return self.text(name)

    def end(self) -> Emitted:
        """Take the token that ends the call."""
        emitted: Emitted = []
        match self._at:
            case _At.NAME:
                emitted = self._end_name()
            case _At.AFTER_VALUE:
                emitted = self._end_value()
            case _At.VALUE:
                emitted = self._end_value()
                self._cut_argument()
            case _At.KEY | _At.AFTER_KEY:
                self._cut_argument()
        self.is_whole = self._is_sound and bool(self.name) and "key_twice" not in self.flags
        return [*emitted, *self._json("}" if self.pairs else "{}")]

    def cut_off(self) -> None:
        """Nothing follows."""
        self.flags.add("call_unterminated")
        if self._at is _At.NAME:
            self.name = self._taken().strip()
        elif self._at is not _At.AFTER_VALUE:
            self.flags.add("argument_unterminated")
        if self._at in (_At.VALUE, _At.AFTER_VALUE):
            assert self.pairs is not None
            self.pairs.append((self._name_of_value, "".join(self._written)))

    def _cut_argument(self) -> None:
        self.flags.add("argument_unterminated")
        self._is_sound = False

    def _end_name(self) -> Emitted:
        self.name = self._taken().strip()
        return [("name", self.name)]

    def _begin_value(self) -> Emitted:
        key = self._name_of_value
        if key in self._keys:
            self.flags.add("key_twice")
        self._keys.add(key)
        self._at, self._written = _At.VALUE, []
        self._is_string = self._types.of(self.name, key) == "string"
        lead = ", " if self.pairs else "{"
        quote = '"' if self._is_string else ""
        return self._json(f"{lead}{json.dumps(key, ensure_ascii=False)}: {quote}")

    def _add(self, text: str) -> Emitted:
        self._written.append(text)
        if self._is_string:
            return self._json(json.dumps(text, ensure_ascii=False)[1:-1])
        return []

    def _resume_value(self, text: str) -> Emitted:
        """The value did not end: the token that ends one was text in it."""
        self.flags.add("control_in_text")
        self._at = _At.VALUE
        return self._add(self._value_end + self._taken() + text)

    def _end_value(self) -> Emitted:
        assert self.pairs is not None
        written = "".join(self._written)
        self.pairs.append((self._name_of_value, written))
        self._held = []
        if self._is_string:
            return self._json('"')
        kind = self._types.of(self.name, self._name_of_value)
        return self._json(as_json(written, kind, self._room))

    def _taken(self) -> str:
        text, self._held = "".join(self._held), []
        return text

    def _json(self, text: str) -> Emitted:
        self._shown.append(text)
        return [("arguments", text)]


class JsonReader:
    """Reads a call that is one JSON object with `name` and `arguments` (Qwen3)."""

    def __init__(self) -> None:
        self.name = ""
        self.arguments = ""
        self.pairs: Pairs | None = None
        self.flags: set[Flag] = set()
        self.is_whole = False
        self._written: list[str] = []

    def text(self, text: str) -> Emitted:
        """Take plain text."""
        self._written.append(text)
        return []

    def control(self, name: str) -> Emitted:
        """Take a control token other than the one that ends a call."""
        self.flags.add("control_in_text")
        return self.text(name)

    def end(self) -> Emitted:
        """Take the token that ends the call."""
        text = "".join(self._written).strip()
        try:
            found = json.loads(text, object_pairs_hook=self._object)
            arguments = _value_of(text, "arguments") if _is_call(found) else ""
        except (ValueError, RecursionError):
            return []
        if not arguments:
            return []
        self.name, self.arguments = found["name"], arguments
        self.is_whole = bool(self.name) and "key_twice" not in self.flags
        return [("name", self.name), ("arguments", self.arguments)]

    def cut_off(self) -> None:
        """Nothing follows."""
        self.flags.add("call_unterminated")

    def _object(self, pairs: Pairs) -> dict[str, object]:
        found: dict[str, object] = dict(pairs)
        if len(found) < len(pairs):
            self.flags.add("key_twice")
        return found


def _is_call(value: object) -> bool:
    """Return whether a value has a name and arguments, and nothing else."""
    match value:
        case {"name": str(), "arguments": dict(), **rest}:
            return not rest
    return False


def _value_of(text: str, key: str) -> str:
    """Return the value of a key of an object, as it is written in its JSON."""
    decoder, at = json.JSONDecoder(), text.index("{") + 1
    while True:
        at = text.index('"', at)
        name, at = decoder.raw_decode(text, at)
        space = _SPACE.match(text, text.index(":", at) + 1)
        assert space is not None
        at = space.end()
        _, end = decoder.raw_decode(text, at)
        if name == key:
            return text[at:end]
        at = end
