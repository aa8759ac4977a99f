"""`sii` without a command: the prompt, or with `-p` (or a piped task) one task."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from sii_cli.errors import DONE
from sii_cli.fork.instead import find_resumed_or_fork
from sii_cli.options.homes import home_option
from sii_cli.options.resume import CHOOSE, NOT_RESUMED, resume_options
from sii_cli.options.settings import OutputFormat, load, output_format_option, settings_options

if TYPE_CHECKING:
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
        resumed = find_resumed_or_fork(flags, by_human=True)
        assert resumed is not None
        return flags, resumed


@click.command("sii")
@click.option("-p", "--prompt", "task", metavar="TASK", help="Work on one task, without a screen.")
@resume_options
@output_format_option
@settings_options
@home_option
def command(
    task: str | None,
    output_format: OutputFormat | None,
    **flags: Any,
) -> int:
    """Open the prompt, or work on one task."""
    at_prompt = task is None and output_format is None
    at_prompt = at_prompt and sys.stdin.isatty() and sys.stdout.isatty()
    if at_prompt and flags["ref"] == CHOOSE:
        import asyncio

        from sii_cli.sessions.choose import choose_session

        flags["ref"] = asyncio.run(choose_session())
        if flags["ref"] is None:
            return DONE
    resumer = Resumer(dict(flags))
    resumed = find_resumed_or_fork(flags, by_human=at_prompt)
    if at_prompt:
        from sii_cli.options.allow import ask_about_project
        from sii_cli.prompt.start import run_prompt

        ask_about_project(flags)
        return run_prompt(flags, resumed, resumer.resume)
    from sii_cli.headless.run import read_task, run_task

    text = read_task(task, resumed)
    return run_task(load(flags), text, output_format or "text", resumed=resumed)
