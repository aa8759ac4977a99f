"""`sii` without a command: the prompt, or with `-p` (or a piped task) one task."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from sii_cli.errors import DONE, UsageError
from sii_cli.fork.instead import settle_or_fork
from sii_cli.options.homes import home_option
from sii_cli.options.resume import (
    CHOOSE,
    NOT_RESUMED,
    ResumeRequest,
    find_resumed,
    read_request,
    resume_options,
)
from sii_cli.options.settings import OutputFormat, load, output_format_option, settings_options

if TYPE_CHECKING:
    from pathlib import Path

    from sii_cli.prompt.work import Begin
    from sii_cli.session.resume import ResumedRecording


@dataclass(frozen=True, slots=True)
class Resumer:
    """Resumes sessions at a prompt that was started with these options."""

    flags: dict[str, Any]

    async def resume(self, ref: str) -> tuple[dict[str, Any], ResumedRecording] | None:
        """Return the options and the recording of a session, which is chosen where `ref` is empty.

        Raises `UsageError`, `RecordingError`.
        """
        if not ref:
            from sii_cli.sessions.choose import choose_session

            chosen = await choose_session()
            if chosen is None:
                return None
            ref = chosen
        flags = {**self.flags, **NOT_RESUMED, "ref": ref}
        request = read_request(flags, by_human=True)
        assert request is not None
        return flags, _settle(request, flags)

    async def choices(self) -> list[tuple[str, str, str]]:
        """Return (key, line, preview) of the sessions that can be chosen.

        Raises `UsageError`, `RecordingError`.
        """
        from sii_cli.sessions.choose import session_rows

        return await session_rows()


def first_session(flags: dict[str, Any]) -> Begin:
    """Return what finds the prompt's first session: a new one, or one to resume.

    Of a recording that seems to be this home's own, all lines are checked while the line takes keys
    already; what others wrote is checked, and asked about, before there is a line.
    Raises `UsageError`, `RecordingError`.
    """
    from sii_cli.options.allow import ask_about_project

    request = read_request(flags, by_human=True)
    if request is not None and not request.restores and _seems_own(request.folder):
        return partial(_check_behind_the_line, request, flags)
    resumed = None if request is None else _settle(request, flags)
    ask_about_project(flags)

    async def found() -> tuple[dict[str, Any], ResumedRecording | None]:
        return flags, resumed

    return found


async def _check_behind_the_line(
    request: ResumeRequest, flags: dict[str, Any]
) -> tuple[dict[str, Any], ResumedRecording]:
    import asyncio

    from prompt_toolkit.application import in_terminal

    from recordings.conversation.checked import CheckedConversation
    from sii_cli.options.allow import ask_about_project

    checked = await asyncio.to_thread(CheckedConversation, request.folder)
    async with in_terminal():
        resumed = settle_or_fork(request, checked, flags)
        ask_about_project(flags)
    return flags, resumed


def _settle(request: ResumeRequest, flags: dict[str, Any]) -> ResumedRecording:
    from recordings.conversation.checked import CheckedConversation

    return settle_or_fork(request, CheckedConversation(request.folder), flags)


def _seems_own(folder: Path) -> bool:
    from recordings.trust.origin import seems_own
    from sii_cli.config.home_key import reading_key

    return seems_own(folder, reading_key(folder))


@click.command("sii")
@click.option("-p", "--prompt", "task", metavar="TASK", help="Work on one task, without a screen.")
@click.option(
    "--plain",
    is_flag=True,
    help="A prompt of lines: for screen readers, and where nothing can be drawn.",
)
@resume_options
@output_format_option
@settings_options
@home_option
def command(
    task: str | None,
    output_format: OutputFormat | None,
    plain: bool,
    **flags: Any,
) -> int:
    """Open the prompt, or work on one task."""
    at_prompt = task is None and output_format is None
    if plain and not at_prompt:
        raise UsageError("`--plain` is for the prompt: `sii -p` prints lines anyway.")
    at_prompt = plain or (at_prompt and sys.stdin.isatty() and sys.stdout.isatty())
    if not at_prompt:
        from sii_cli.headless.run import read_task, run_task

        resumed = find_resumed(flags, by_human=False)
        text = read_task(task, resumed)
        return run_task(load(flags), text, output_format or "text", resumed=resumed)
    if flags["ref"] == CHOOSE:
        import asyncio

        from sii_cli.sessions.choose import choose_by_number, choose_session

        flags["ref"] = asyncio.run(choose_by_number() if plain else choose_session())
        if flags["ref"] is None:
            return DONE
    from sii_cli.prompt.start import run_prompt

    resumer = Resumer(dict(flags))
    return run_prompt(first_session(flags), resumer, plain=plain)
