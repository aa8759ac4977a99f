"""What the speaker says of a session at the prompt: marks, a verdict, a note, a name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from recordings.errors import RecordingError
from sii_cli.errors import UsageError
from sii_cli.prompt.slash import NotDone
from sii_cli.session.sign_off import SignOff
from sii_cli.text.sanitise import one_line

if TYPE_CHECKING:
    from sii_cli.prompt.session import PromptSession

T = TypeVar("T")


class SigningOff:
    """What the commands `/mark`, `/done`, `/note` and `/rename` do."""

    def __init__(self, at_prompt: PromptSession) -> None:
        self._at_prompt = at_prompt
        self._at = 0
        """Steps that there were when the speaker last said whether the task is done."""

    def said_up_to(self, steps: int) -> None:
        """Ask at the end only when more steps than these were done."""
        self._at = steps

    async def rename(self, name: str, tags: Sequence[str]) -> None:
        """Give the session a name, and tags. Raises `NotDone`."""
        await self._judge(lambda sign_off: sign_off.rename(name, tags))
        self._at_prompt.say(f"Named {name}." if name else f"Tagged {', '.join(tags)}.")

    @property
    def asks_whether_done(self) -> bool:
        """Whether the speaker is asked at the end: something was done, and nothing said of it."""
        asks = self._at_prompt.settings.ask_at_exit and self._at_prompt.settings.speaker is not None
        is_free = not self._at_prompt.busy and not self._at_prompt.is_off
        return asks and is_free and self._at_prompt.steps > self._at

    async def mark(self, word: str, comment: str, step: int | None) -> None:
        """Mark a step, or the last one. Raises `NotDone`."""
        marked = await self._judge(lambda sign_off: sign_off.mark(word, comment, step))
        self._at_prompt.say(f"Step {marked.number} is marked {word}: {one_line(marked.what, 60)}")

    async def end_task(self, done: bool, note: str = "") -> None:
        """Say whether the task is done. Raises `NotDone`."""
        await self._judge(lambda sign_off: sign_off.end_task(done, note, self._shown()))
        self.said_up_to(self._at_prompt.steps)
        self._at_prompt.say("Kept: the task is done." if done else "Kept: the task is not done.")

    def _shown(self) -> int | None:
        """Return the steps that the speaker saw, where not all of them are recorded."""
        return self._at_prompt.steps if self._at_prompt.is_off else None

    async def leave_note(self, note: str) -> None:
        """Leave words to the next person. Raises `NotDone`."""
        await self._judge(lambda sign_off: sign_off.leave_note(note))
        self._at_prompt.say("Kept for the next person: `sii reviews` shows it.")

    async def _judge(self, say: Callable[[SignOff], T]) -> T:
        folder = self._at_prompt.folder
        if folder is None:
            raise NotDone("There is nothing to judge yet: the session begins with a message.")
        try:
            return await asyncio.to_thread(say, SignOff(self._at_prompt.settings, folder))
        except (UsageError, RecordingError) as error:
            raise NotDone(str(error)) from None
