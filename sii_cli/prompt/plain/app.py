"""The plain prompt: messages are typed as lines, and what happens is printed as lines, once."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sequence

from sii_cli.prompt.commands.registry import make_commands
from sii_cli.prompt.hint import TWICE
from sii_cli.prompt.paste import invalid_words, without_invalid
from sii_cli.prompt.plain.lines import LONGEST, MOST, TypedLines
from sii_cli.prompt.plain.surface import LineSurface
from sii_cli.prompt.surface import AskInTime
from sii_cli.prompt.work import Begin, PromptWork, Resumes, Row

PLAIN_KEYS = {
    "an empty line": "sends the lines before it; while a round runs: after the running step",
    "/COMMAND, !CMD": "a line of its own; !CMD runs a command in the sandbox",
    "Ctrl-C": "interrupt the round; what was done is kept; twice at rest: leave",
    "Ctrl-D": "leave",
}
HOW = "Write a message and end it with an empty line; /help lists the commands."
CUT = (
    f"A terminal gives a program at most {LONGEST:,} bytes of a line, so this one may be cut; it "
    "was left out. Save the text as a file, and name it in a message."
)
LONGEST_MESSAGE = MOST // 2
"""Bytes: a line that was not kept whole is over it."""
TOO_LONG = (
    f"A message has at most {LONGEST_MESSAGE >> 20} MiB: this one was left out. Save the text as "
    "a file, and name it in a message."
)


class PlainPrompt(PromptWork):
    """A prompt without a screen."""

    def __init__(self, begin: Begin, resumer: Resumes) -> None:
        self._lines = TypedLines(self._take, self.leave)
        surface = LineSurface(self._lines, self.leave)
        super().__init__(begin, resumer, surface, make_commands(PLAIN_KEYS))
        self._line_surface = surface
        self._message: list[str] = []
        self._size = 0
        """Bytes of the message; beyond the limit its lines are not kept."""
        self._kept = ""
        """What was not sent, or came back: an empty line sends it."""
        self._left = asyncio.Event()
        self._interrupted = 0.0

    async def _read(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._ctrl_c)
        self._lines.begin()
        try:
            await self._left.wait()
        finally:
            self._lines.end()

    def leave(self) -> None:
        """End the prompt."""
        self._line_surface.questions.skip()
        self._left.set()

    def _ctrl_c(self) -> None:
        if self.asking:
            self._line_surface.questions.skip()
        elif self.busy:
            self.interrupt()
        elif time.monotonic() - self._interrupted < TWICE:
            self.leave()
        else:
            self._interrupted = time.monotonic()
            self._clear()
            self._line_surface.write("sii", ["Ctrl-C again leaves."])

    # Questions

    @property
    def asking(self) -> bool:
        """Whether a question waits for a line."""
        return self._line_surface.questions.is_open

    async def ask(self, text: str, keys: str) -> str | None:
        """Ask a question that one letter answers; `None` when it is skipped."""
        return await self._line_surface.questions.ask(text, keys)

    @property
    def _ask_in_time(self) -> AskInTime:
        return self._line_surface.questions.ask_in_time

    async def pick(self, title: str, rows: Sequence[Row]) -> str | None:
        """Let the user pick one of (key, line, preview) by its number; return its key."""
        return await self._line_surface.questions.pick(title, rows)

    def put_back(self, text: str) -> None:
        """Keep a text that was not sent."""
        self._kept = text
        self._line_surface.write("Kept", text.split("\n"))
        self._line_surface.write("sii", ["An empty line sends it; another message replaces it."])

    async def resume(self, ref: str) -> None:
        """Resume another session, chosen by its number where `ref` is empty. Raises `NotDone`."""
        ref = ref or await self.pick("Resume a session", await self._resumer.choices()) or ""
        if ref:
            await super().resume(ref)

    # Lines

    def _take(self, line: str) -> None:
        """Take a line: an answer, a command, or a part of a message."""
        line, count = without_invalid(line)
        if count:
            self._line_surface.write("sii", [invalid_words(count)])
        if not self._size and self._line_surface.questions.take(line):
            return
        if len(line.encode()) >= LONGEST and self._lines.are_typed:
            self._line_surface.write("sii", [CUT])
        elif not line.strip():
            self._send()
        elif not self._size and line.startswith(("/", "!")):
            self._accept(line.strip())
        else:
            self._add(line)

    def _add(self, line: str) -> None:
        """Add a line to the message."""
        self._size += len(line.encode()) + 1
        if self._size <= LONGEST_MESSAGE:
            self._message.append(line)
        self._line_surface.is_typing = True

    def _send(self) -> None:
        text, is_too_long = "\n".join(self._message) or self._kept, self._size > LONGEST_MESSAGE
        self._clear()
        if is_too_long:
            self._line_surface.write("sii", [TOO_LONG])
        elif text:
            self._kept = ""
            self._accept(text)

    def _clear(self) -> None:
        self._message, self._size = [], 0
        self._line_surface.is_typing = False

    async def _wait_for_input(self) -> None:
        if not self._waiting:
            self._line_surface.write("Ready", [self._stands()])
        await super()._wait_for_input()

    def _stands(self) -> str:
        """Return how the session stands, and before the first step how to begin."""
        session = self.session
        return f"{session.steps} steps, {session.activity.tokens()}" if session.steps else HOW
