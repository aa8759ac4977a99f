"""Events as lines: the text of one event on disk, its hash and its checksum.

A line ends with `"sum"`: the first 16 hex digits of the sha256 of the line before it. With it every
line, also the last, can be checked by itself; `"prev"` chains each line to the one before.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson

from recordings.errors import MALFORMED, RecordingDamaged, RecordingTooNew, describe_malformed
from recordings.storage.encoding import encode
from recordings.storage.migrations import SCHEMA_VERSION, migrate

if TYPE_CHECKING:
    from recordings.events import Event

SUM_DIGITS = 16
_SUM_KEY = b',"sum":"'
_TAIL = len(_SUM_KEY) + SUM_DIGITS + len(b'"}')
STREAMED = frozenset({"model_delta", "tool_output"})
"""Types of events whose text a later event repeats in full; most of a recording."""
_NUMBER = rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_HEAD = re.compile(
    rb'\{"v":%d,"session":"([^"\\]*)","seq":(\d{1,18}),"wall":%b,"mono":(%b),"type":"([a-z_]+)",'
    rb'"origin":"[a-z]+",("parent":)?' % (SCHEMA_VERSION, _NUMBER, _NUMBER)
)


class Head:
    """What a line says before its data; each value is decoded when it is read."""

    __slots__ = ("_found",)

    def __init__(self, found: re.Match[bytes] | tuple[bytes, ...]) -> None:
        """`found`: what `_HEAD` finds, or a tuple of the same groups."""
        self._found = found

    @property
    def session(self) -> str:
        """The session that recorded the line."""
        return self._found[1].decode("utf-8", "replace")

    @property
    def seq(self) -> int:
        """Number of the event."""
        return int(self._found[2])

    @property
    def mono(self) -> float:
        """Seconds of the monotonic clock."""
        return float(self._found[3])

    @property
    def type(self) -> str:
        """Type of the event."""
        return self._found[4].decode()

    @property
    def begins_fork(self) -> bool:
        """It is the first line that a fork adds to its parent's."""
        return bool(self._found[5])


def encode_event(event: Event) -> tuple[bytes, str]:
    """Return an event's line, without the newline, and the sha256 of that line."""
    line: dict[str, Any] = {
        "v": event.version,
        "session": event.session,
        "seq": event.seq,
        "wall": event.wall,
        "mono": event.mono,
        "type": event.data.type,
        "origin": event.origin,
    }
    if event.parent is not None:
        line["parent"] = asdict(event.parent)
    line["data"] = event.data
    line["prev"] = event.prev
    return seal(encode(line)[:-1])


def seal(body: bytes) -> tuple[bytes, str]:
    """Add the checksum to a line, given without its last brace; return the line and its sha256."""
    digest = hashlib.sha256(body)
    end = _SUM_KEY + digest.hexdigest()[:SUM_DIGITS].encode() + b'"}'
    digest.update(end)
    return body + end, digest.hexdigest()


def check_line(line: bytes) -> str | None:
    """Return the sha256 of a line, or `None` when its checksum is wrong."""
    digest = hashlib.sha256(line[:-_TAIL])
    end = _SUM_KEY + digest.hexdigest()[:SUM_DIGITS].encode() + b'"}'
    if line[-_TAIL:] != end:
        return None
    digest.update(end)
    return digest.hexdigest()


def follows(line: bytes, sha256: str) -> bool:
    """Tell whether a line's `prev` is this sha256, without parsing the line."""
    return line.endswith(b'"prev":"%b"' % sha256.encode(), 0, -_TAIL)


def read_head(line: bytes) -> Head:
    """Return a line's head; a line of the current schema is not parsed for it.

    Most of a recording is streamed text, which most readers skip.
    Raises `RecordingDamaged`, `RecordingTooNew`.
    """
    return Head(_HEAD.match(line) or _parsed_head(parse_line(line)))


def parse_line(line: bytes) -> dict[str, Any]:
    """Return a line's object in the current schema; its `data` is not checked.

    Raises `RecordingDamaged`, `RecordingTooNew`.
    """
    try:
        parsed = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise RecordingDamaged(f"a line is not JSON ({error})") from None
    if not isinstance(parsed, dict) or not isinstance(parsed.get("v"), int):
        raise RecordingDamaged("a line is not an event")
    event = parsed if parsed["v"] == SCHEMA_VERSION else migrate(parsed)
    if not isinstance(event.get("type"), str) or not isinstance(event.get("data"), dict):
        raise RecordingDamaged("a line is not an event")
    if parsed["v"] == SCHEMA_VERSION:
        found = _HEAD.match(line)
        if found is None or found[4].decode() != event["type"] or int(found[2]) != event.get("seq"):
            # Else readers of the head alone would skip what others read.
            raise RecordingDamaged("a line's beginning is not that of its event")
    return event


def _parsed_head(parsed: dict[str, Any]) -> tuple[bytes, ...]:
    """Return what `_HEAD` finds in a line of the current schema."""
    try:
        _check_envelope(parsed)
        values = ("", parsed["session"], int(parsed["seq"]), float(parsed["mono"]), parsed["type"])
    except MALFORMED as error:
        raise _malformed(error) from None
    parent = b"parent" if parsed.get("parent") else b""
    return (*(str(value).encode() for value in values), parent)


def decode_event(parsed: dict[str, Any]) -> Event:
    """Return the event of a line's object. Raises `RecordingDamaged`, `RecordingTooNew`."""
    from recordings.events import EVENT_TYPES, Event, Parent  # slow, and lists need none

    try:
        cls = EVENT_TYPES.get(parsed["type"])
        if cls is None:
            raise RecordingTooNew(
                f"The event type {parsed['type']!r} is not known to this version of sii: "
                "upgrade sii to read this recording."
            )
        _check_envelope(parsed)
        parent = parsed.get("parent")
        return Event(
            session=parsed["session"],
            seq=parsed["seq"],
            wall=parsed["wall"],
            mono=parsed["mono"],
            origin=parsed["origin"],
            data=cls.model_validate(parsed["data"]),
            prev=parsed["prev"],
            parent=Parent(**parent) if parent else None,
        )
    except MALFORMED as error:
        raise _malformed(error) from None


def _malformed(error: Exception) -> RecordingDamaged:
    return RecordingDamaged(f"a line is not an event ({describe_malformed(error)})")


def _check_envelope(parsed: dict[str, Any]) -> None:
    """Check the envelope without pydantic, which is slow. Raises `TypeError`."""
    for name in ("session", "origin", "prev"):
        if not isinstance(parsed[name], str):
            raise TypeError(f"`{name}` is not a string")
    for name in ("wall", "mono"):
        if not isinstance(parsed[name], int | float):
            raise TypeError(f"`{name}` is not a number")
    if not isinstance(parsed["seq"], int):
        raise TypeError("`seq` is not a number")
