"""A recording as one self-contained web page: play, pause, speed, step, seek, jump, fold."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from recordings.conversation.outages import outages_of
from recordings.outcomes import outcome_line
from recordings.replay.items import replay_items
from recordings.storage.encoding import encode
from recordings.storage.files import failure
from recordings.storage.log import read_events
from recordings.store.summary import RecordingSummary, summarise


def write_html(folder: Path, target: Path, ended: Sequence[str] = ()) -> None:
    """Write the page of a recording while it is read: memory does not grow with its length.

    `ended`: lines above it, which say how the session ended and what was said of it.

    No text of the recording becomes markup, and the page loads nothing.
    Raises what `read_events` raises, and `RecordingFailed`.
    """
    template = resources.files("recordings.replay").joinpath("page.html").read_text("utf-8")
    before, after = template.split("@DATA@")
    line = _line(summary := summarise(folder), outages_of(folder).total())
    about = {"title": _title(summary), "line": line, "ended": list(ended)}
    try:
        with open(target, "wb") as page:
            page.write(before.encode() + b'{"about":' + _safe(about) + b',"items":[')
            separator = b""
            for item in replay_items(read_events(folder)):
                more = {"about": item.about, "error": item.error} if item.about or item.error else 0
                row = [round(item.wait, 3), item.kind, item.key, item.text, more]
                page.write(separator + _safe(row))
                separator = b",\n"
            page.write(b"]}" + after.encode())
    except OSError as error:
        raise failure(target, error) from error


def _safe(value: object) -> bytes:
    """Encode JSON that cannot end a script element: `<` is only in strings, and is escaped."""
    return encode(value).replace(b"<", b"\\u003c")


def _title(summary: RecordingSummary) -> str:
    first = " ".join(summary.first_message.split())
    return f"{first[:80]}…" if len(first) > 80 else first or summary.id


def _line(summary: RecordingSummary, outages: int) -> str:
    line = (
        f"{summary.id} · {summary.model} · {summary.rounds} rounds, {summary.steps} steps, "
        f"{summary.duration:.0f} s"
    )
    if summary.session_outcome is not None:
        line += f" · {outcome_line(summary.session_outcome, summary.score, summary.reason)}"
    if summary.state != "ended":
        line += f" · {summary.state}"
    return f"{line} · calls that hit an outage (tool_infra): {outages}" if outages else line
