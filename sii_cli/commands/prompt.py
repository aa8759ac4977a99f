"""`sii` without a command: the prompt, or with `-p` (or a piped task) one task."""

from __future__ import annotations

import sys
from typing import Any

import click

from sii_cli.options.homes import home_option
from sii_cli.options.resume import find_resumed, resume_options
from sii_cli.options.settings import OutputFormat, load, output_format_option, settings_options


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
    resumed = find_resumed(flags, by_human=at_prompt)
    if at_prompt:
        from sii_cli.options.allow import ask_about_project
        from sii_cli.prompt.app import run_prompt

        ask_about_project(flags)
        return run_prompt(flags, resumed)
    from sii_cli.headless.run import read_task, run_task

    text = read_task(task, resumed)
    return run_task(load(flags), text, output_format or "text", resumed=resumed)
