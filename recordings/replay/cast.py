"""A recording as an asciinema cast (version 2), for players of terminal recordings.

The format: https://docs.asciinema.org/manual/asciicast/v2/
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from recordings.replay.items import ReplayItem, replay_items
from recordings.storage.encoding import encode
from recordings.storage.files import failure
from recordings.storage.log import read_events
from recordings.store.summary import summarise

_BOLD, _DIM, _RED, _CYAN, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[36m", "\x1b[0m"
_LINES = 20
"""Most lines of an observation that are shown."""
_PICTURES = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"}
_PICTURES |= {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
_PICTURES |= dict.fromkeys(  # characters that reorder or hide text
    (
        *(0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)),
        *(0x2028, 0x2029, *range(0xFFF9, 0xFFFC), *range(0xE0000, 0xE0080)),
    ),
    0xFFFD,
)


def write_cast(folder: Path, target: Path, *, width: int = 100, height: int = 30) -> None:
    """Write the cast of a recording while it is read.

    Raises what `read_events` raises, and `RecordingFailed`.
    """
    summary = summarise(folder)
    header = {
        "version": 2,
        "width": width,
        "height": height,
        "timestamp": int(summary.started or 0),
        "title": " ".join(summary.first_message.split())[:80].translate(_PICTURES) or summary.id,
        "idle_time_limit": 2,
    }
    try:
        with open(target, "wb") as cast:
            cast.write(encode(header) + b"\n")
            now, terminal = 0.0, _Terminal()
            for item in replay_items(read_events(folder)):
                now += item.wait
                text = "".join(terminal.show(item)).replace("\n", "\r\n")
                if text:
                    cast.write(encode([round(now, 3), "o", text]) + b"\n")
    except OSError as error:
        raise failure(target, error) from error


class _Terminal:
    """Turns items into terminal output; texts of the recording cannot move the cursor."""

    def __init__(self) -> None:
        self._key = ""
        self._streamed: set[str] = set()

    def show(self, item: ReplayItem) -> Iterator[str]:
        text = item.text.translate(_PICTURES)
        if item.key != self._key or item.kind in ("call", "observation"):
            yield "\n" if self._key else ""
        self._key = item.key
        match item.kind:
            case "user":
                yield f"\n{_BOLD}› {text}{_RESET}"
            case "reasoning" | "output":
                self._streamed.add(item.key)
                yield f"{_DIM}{text}{_RESET}"
            case "content":
                yield text
            case "call":
                yield f"{_CYAN}▸ {text}{_RESET}\n"
            case "observation":
                yield from self._observation(item, text)
            case "note":
                yield f"{_RED if item.error else _DIM}{text}{_RESET}"

    def _observation(self, item: ReplayItem, text: str) -> Iterator[str]:
        if item.key not in self._streamed:
            lines = text.splitlines()
            left = len(lines) - _LINES
            yield _DIM + "\n".join(lines[:_LINES]) + _RESET + "\n"
            if left > 0:
                yield f"{_DIM}[{left} more lines]{_RESET}\n"
        yield f"{_RED if item.error else _DIM}[{item.about.translate(_PICTURES)}]{_RESET}"
