"""What a scripted server answers: whole turns, and every way in which a turn goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from tests.fakes.fake_tokenizer import decode, encode, id_of


@dataclass(frozen=True)
class Turn:
    """A model's turn. Arguments are an object, or the raw string that the model writes."""

    content: str = ""
    calls: tuple[tuple[str, dict[str, Any] | str], ...] | list[Any] = ()
    reasoning: str = ""
    slow: float = 0.0
    """Seconds a token."""
    parsed: bool = True
    """Whether the server's parser finds the calls; if not, they are generated and vanish."""
    shown: bool = True
    """Whether the server's parser gives the thought and the answer; if not, they vanish."""
    compact: bool = False
    """Calls are forced into the form without a newline after the name; a prompt has it always."""


@dataclass(frozen=True)
class CutOff:
    """The turn runs into a limit after so many tokens."""

    turn: Turn
    after: int


@dataclass(frozen=True)
class HttpError:
    """An error status instead of a stream."""

    status: int
    body: Any = None
    """Bytes as they are, else JSON; `None`: what vLLM says with that status."""
    retry_after: str | None = None


@dataclass(frozen=True)
class BreakAfter:
    """The connection closes after so many chunks."""

    turn: Turn
    chunks: int


@dataclass(frozen=True)
class SilentAfter:
    """The connection stays open after so many chunks, and nothing more comes."""

    turn: Turn
    chunks: int


@dataclass(frozen=True)
class EngineDies:
    """After so many chunks an error event, then `[DONE]` without a finish reason."""

    turn: Turn
    chunks: int


@dataclass(frozen=True)
class EndsEarly:
    """After so many chunks `[DONE]`, without a finish reason and without an error."""

    turn: Turn
    chunks: int


@dataclass(frozen=True)
class Garbage:
    """A status 200 event stream with these bytes in it."""

    data: bytes


Scripted = Turn | CutOff | HttpError | BreakAfter | SilentAfter | EngineDies | EndsEarly | Garbage


@dataclass(frozen=True)
class Piece:
    """One streamed chunk's delta, and the ids generated with it."""

    delta: dict[str, Any]
    ids: list[int]
    finish: str | None = None
    """On the last piece, whose id is the stop token."""


def pieces(turn: Turn, request_id: str, thinks: bool = True) -> Iterator[Piece]:
    """The deltas of a turn as vLLM streams them; the stop token comes with the last."""
    if thinks:
        for token in encode(turn.reasoning):
            yield Piece({"reasoning": _text(token)} if turn.shown else {}, [token])
        yield Piece({}, [id_of("</think>")])
    for token in encode(turn.content):
        yield Piece({"content": _text(token)} if turn.shown else {}, [token])
    for index, (name, arguments) in enumerate(turn.calls):
        end = "" if turn.compact else "\n"
        for piece in _call(index, name, end, arguments_text(arguments), request_id):
            yield piece if turn.parsed else Piece({}, piece.ids)
    if turn.calls and not turn.parsed:
        yield Piece({}, [id_of("<|observation|>")], "stop")
    elif turn.calls:
        yield Piece({}, [id_of("<|observation|>")], "tool_calls")
    else:
        yield Piece({}, [id_of("<|user|>")], "stop")


def _call(index: int, name: str, end: str, arguments: str, request_id: str) -> Iterator[Piece]:
    yield Piece({}, [id_of("<tool_call>")])
    first = {
        "id": f"call-{request_id}-{index}",
        "type": "function",
        "index": index,
        "function": {"name": name},
    }
    *silent, last = encode(name + end)
    yield from (Piece({}, [token]) for token in silent)
    yield Piece({"tool_calls": [first]}, [last])
    for token in encode(arguments):
        more = {"index": index, "function": {"arguments": _text(token)}}
        yield Piece({"tool_calls": [more]}, [token])
    yield Piece({}, [id_of("</tool_call>")])


def arguments_text(arguments: dict[str, Any] | str) -> str:
    """The string that the model writes."""
    return arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()


def error_body(said: HttpError) -> bytes:
    """The body that vLLM sends with an error status."""
    if isinstance(said.body, bytes):
        return said.body
    if said.body is not None:
        return orjson.dumps(said.body)
    if said.status == 401:
        return b'{"error":"Unauthorized"}'
    kind = {404: "NotFoundError", 400: "BadRequestError"}.get(said.status, "InternalServerError")
    message = f"the scripted server says {said.status}"
    error = {"message": message, "type": kind, "param": None, "code": said.status}
    return orjson.dumps({"error": error})


def _text(token: int) -> str:
    return decode([token])
