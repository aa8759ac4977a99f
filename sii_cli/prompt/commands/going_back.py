"""Commands that go back: undo and redo of files, rewinding to a message, forks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sii_cli.prompt.slash import NotDone, SlashCommand, SlashPrompt, Words, is_number

if TYPE_CHECKING:
    from recordings.conversation.rewind import OwnMessage

_SURE = "Restore these files? y yes · Enter leaves them"
_WHAT = "Go back: b files and conversation · c conversation · f files · Enter stays"
_WHAT_ALONE = "Go back: c conversation (no snapshots are taken) · Enter stays"
_WHY = "Why? w the model was wrong · u I was unclear · t just trying · Enter stays"
_REASONS = {"w": "wrong", "u": "unclear", "t": "trying"}


async def _undo(prompt: SlashPrompt, words: str) -> None:
    plan = await prompt.session.back.plan_undo(int(words) if words else None)
    if prompt.session.back.show_plan(plan) and await prompt.ask(_SURE, "y"):
        await prompt.session.back.run_undo(plan)


async def _redo(prompt: SlashPrompt, words: str) -> None:
    plan = await prompt.session.back.plan_redo()
    if prompt.session.back.show_plan(plan) and await prompt.ask(_SURE, "y"):
        await prompt.session.back.run_undo(plan)


async def _rewind(prompt: SlashPrompt, words: str) -> None:
    messages = await prompt.session.back.own_messages()
    if not messages:
        raise NotDone("There is no message of yours to go back to.")
    rows = [_row(one) for one in reversed(messages)]
    picked = await prompt.pick("Go back to before a message", rows)
    if picked is None:
        return
    message = next(one for one in messages if str(one.seq) == picked)
    plan = None
    if prompt.session.back.has_snapshots:
        plan = await prompt.session.back.plan_undo(to=message.step)
        prompt.session.back.show_plan(plan)
    keys = "bcf" if plan is not None else "c"
    what = await prompt.ask(_WHAT if plan is not None else _WHAT_ALONE, keys)
    if what is None:
        return
    why = None if what == "f" else await prompt.ask(_WHY, "wut")
    if what != "f" and why is None:
        return
    if plan is not None and what != "c":
        await prompt.session.back.run_undo(plan)
    if why is not None:
        await prompt.session.back.rewind(message, _REASONS[why], files=what == "b")
        prompt.put_back(message.text)


def _row(message: OwnMessage) -> tuple[str, str, str]:
    """Return a message's key, its line and what it changed."""
    from sii_cli.render.changes import change_words

    changed = [change_words(change) for change in message.changes]
    about = f"  ± {len(changed)}" if changed else ""
    return str(message.seq), message.text + about, "\n".join(changed) or "changed no files"


async def _fork(prompt: SlashPrompt, words: str) -> None:
    await prompt.session.back.fork()


UNDO = SlashCommand(
    "restore the files to before the last round (/undo N: the last N steps); shows what first",
    _undo,
    Words("a number of steps", lambda words: not words or is_number(words)),
)
REDO = SlashCommand("take the last undo back", _redo)
REWIND = SlashCommand("go back to before one of your messages (Esc Esc)", _rewind)
FORK = SlashCommand("continue in a fork of this session; it stays as it is", _fork)
