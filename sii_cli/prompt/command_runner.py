"""Runs the commands of the prompt: between rounds, or at once beside the running one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sii_cli.prompt.slash import GivenCommand, NotDone, SlashCommands, SlashPrompt


class CommandRunner:
    """`ended` is called with each command that was done beside a round, for its fault."""

    def __init__(
        self,
        prompt: SlashPrompt,
        commands: SlashCommands,
        ended: Callable[[asyncio.Future[None]], None],
    ) -> None:
        self._prompt = prompt
        self._commands = commands
        self._ended = ended
        self._beside: set[asyncio.Future[None]] = set()

    def run_at_once(self, text: str) -> bool:
        """Run a command that does not wait for the round's end; return whether it was one."""
        given = self._commands.find(text)
        if given is None or not given.command.at_once:
            return False
        if given.command.needs_session and not self._prompt.is_open:
            return False
        done = self._begin(given)
        if done is not None:
            beside = asyncio.ensure_future(done)
            self._beside.add(beside)
            beside.add_done_callback(self._beside_ended)
        return True

    async def run(self, text: str) -> None:
        """Run a command to its end; one that is not known is refused with a sentence."""
        given = self._commands.find(text)
        if given is None:
            self._prompt.session.say(self._commands.refusal(text))
            return
        done = self._begin(given)
        if done is not None:
            await done

    def _begin(self, given: GivenCommand) -> Awaitable[None] | None:
        try:
            done = given.command.run(self._prompt, given.words)
        except NotDone as error:
            self._prompt.session.say(str(error))
            return None
        return None if done is None else self._until_done(done)

    async def _until_done(self, done: Awaitable[None]) -> None:
        try:
            await done
        except NotDone as error:
            self._prompt.session.say(str(error))

    def _beside_ended(self, beside: asyncio.Future[None]) -> None:
        self._beside.discard(beside)
        self._ended(beside)
