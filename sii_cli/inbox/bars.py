"""The lines of the inbox above and below a session: what waits, what works, what keys do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prompt_toolkit.formatted_text import StyleAndTextTuples

from sii_cli.inbox.keys import HELP, LEAVING, TYPING
from sii_cli.render.figures import counted
from sii_cli.render.wrap import cut
from sii_cli.review.bars import header
from sii_cli.text.sanitise import one_line

if TYPE_CHECKING:
    from sii_cli.inbox.background import ContinuedSession
    from sii_cli.inbox.shown import ShownSession

NOTHING = "No session waits for you now."
_NAME = 24


def head(shown: ShownSession | None, width: int) -> StyleAndTextTuples:
    """Return the line above the session."""
    if shown is not None:
        return header(shown, width)
    return [("reverse", f"{cut(' inbox', width):<{width}}")]


def empty(going: list[ContinuedSession]) -> StyleAndTextTuples:
    """Return what stands there while no session waits."""
    rows: StyleAndTextTuples = [("", f"\n  {NOTHING}\n")]
    if going:
        rows.append(("", f"  {_going(going)}: each is here again when it has answered.\n"))
    else:
        rows.append(("fg:ansibrightblack", "  q leaves.\n"))
    return rows


def status(going: list[ContinuedSession], said: str, width: int) -> StyleAndTextTuples:
    """Return the line that says what works, and what the last key did."""
    trouble = next((one.trouble for one in going if one.trouble), "")
    if said or trouble:
        words = said or f"tried again soon: {trouble}"
        return [("fg:ansiyellow", cut(f" {one_line(words, 400)}", width))]
    if not going:
        return [("fg:ansibrightblack", "─" * width)]
    names = ", ".join(f"{_name(one)} ({_place(one)})" for one in going)
    return [("fg:ansigreen", cut(f" {_going(going)}: {names}", width))]


def foot(*, is_typing: bool, leaving: str, going: int, width: int) -> StyleAndTextTuples:
    """Return the line that names the keys; `leaving`: how the inbox is being left."""
    if leaving == "ask":
        line = f" {counted(going, 'session works', 'sessions work')}: {LEAVING}"
        return [("fg:ansiyellow", cut(line, width))]
    if leaving:
        what = "Waiting for what works" if leaving == "wait" else "Stopping after the step"
        return [("fg:ansiyellow", cut(f" {what} … Ctrl-C leaves at once", width))]
    return [("fg:ansibrightblack", cut(f" {TYPING if is_typing else HELP}", width))]


def _going(going: list[ContinuedSession]) -> str:
    return counted(len(going), "session works", "sessions work")


def _name(one: ContinuedSession) -> str:
    return one_line(one.waiting.name, _NAME)


def _place(one: ContinuedSession) -> str:
    return counted(one.steps, "step", "steps") if one.session is not None else "begins"
