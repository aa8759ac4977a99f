"""The question whether a call may run: shown above the input line, which keeps what is typed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from sii_cli.text.sanitise import one_line

if TYPE_CHECKING:
    from sii_cli.agent.permissions import CallQuestion, HumanAnswer
    from sii_cli.prompt.view import View

ALONE = 0.25
"""Seconds after which a digit on the line is an answer, and not the beginning of a message."""
GUARD = 0.3
"""Seconds after the question is drawn in which its keys are still meant for the line."""
Choice = Literal["1", "2", "3", "4"]
CHOICES: tuple[Choice, ...] = ("1", "2", "3", "4")


class PermissionDialog:
    """Asks about one call at a time. Enter never answers, but for the reason of a refusal."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._turn = asyncio.Lock()
        self._question: CallQuestion | None = None
        self._answer: asyncio.Future[HumanAnswer] | None = None
        self._put_aside: str | None = None
        """What was typed before the line took the reason of a refusal."""

    async def ask(self, question: CallQuestion) -> HumanAnswer:
        """Show a question, and return what the human answers."""
        async with self._turn:
            self._question = question
            self._answer = asyncio.get_running_loop().create_future()
            self._view.ask(self._rows)
            try:
                return await self._answer
            finally:
                self._restore_line()
                self._question = None
                self._view.ask(None)

    @property
    def takes_keys(self) -> bool:
        """Whether a question is shown long enough for its keys to be meant for it."""
        drawn = self._view.question_drawn
        waits = self._question is not None and not self.wants_words
        return waits and drawn is not None and time.monotonic() - drawn >= GUARD

    @property
    def wants_words(self) -> bool:
        """Whether the line takes the reason of a refusal."""
        return self._put_aside is not None

    def type_digit(self, choice: Choice) -> None:
        """Put a digit on the line; left alone there for a moment, it is the answer."""
        self._view.input.insert_text(choice)
        asyncio.get_running_loop().call_later(ALONE, self._take_digit, self._question)

    def _take_digit(self, question: CallQuestion | None) -> None:
        if question is not None and question is self._question:
            self.take_line()

    def take_line(self) -> bool:
        """Answer with the line if it is a digit of the question; return whether it is."""
        choice = next((one for one in CHOICES if one == self._view.input.text), None)
        if choice is None or not self.takes_keys:
            return False
        self._view.input.reset()
        self.choose(choice)
        return True

    def choose(self, choice: Choice) -> None:
        """Answer with a key of the question."""
        match choice:
            case "1":
                self._settle("once")
            case "2":
                if self._question is not None and self._question.grants:
                    self._settle("session")
            case "3":
                self._settle("no")
            case "4":
                self._put_aside = self._view.input.text
                self._view.input.reset()
                self._view.refresh()

    def refuse(self, words: str) -> None:
        """Answer no, with the human's reason."""
        self._settle("no", words.strip() or None)

    def give_up_words(self) -> None:
        """Return to the question without a reason."""
        self._restore_line()
        self._view.refresh()

    def _settle(self, kind: Literal["once", "session", "no"], words: str | None = None) -> None:
        from sii_cli.agent.permissions import HumanAnswer  # imported by now: a question needs it

        if self._answer is not None and not self._answer.done():
            self._answer.set_result(HumanAnswer(kind, words))

    def _restore_line(self) -> None:
        kept, self._put_aside = self._put_aside, None
        if kept is not None:
            self._view.input.reset()
            self._view.input.insert_text(kept)

    def _rows(self, width: int) -> Sequence[str]:
        question = self._question
        if question is None:
            return ()
        about = "; ".join(one_line(text, 200) for text in question.about)
        asked = f"? May {one_line(question.name, 40)} run: {about}".removesuffix(": ")
        if self.wants_words:
            return (asked, "  Why not? Enter refuses with these words, Esc goes back.")
        alt = "Alt-" if self._view.input.text not in ("", *CHOICES) else ""
        options = [f"{alt}1 once"]
        if question.grants:
            allowed = ", ".join(
                one_line(f"{one.tool}: {one.pattern}", 60) for one in question.grants
            )
            options.append(f"{alt}2 for this session ({allowed})")
        options += [f"{alt}3 no", f"{alt}4 no, and why"]
        line = "  " + " · ".join(options)
        fits = len(line) <= width
        return (asked, line) if fits else (asked, *(f"  {option}" for option in options))
