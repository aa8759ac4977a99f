"""`sii` without a command: the prompt, or with `-p` (or a piped task) one task."""

from __future__ import annotations

import sys
from typing import Any

import click

from sii_cli.commands.options import OutputFormat, load, output_format_option, settings_options
from sii_cli.commands.resuming import find_resumed, resume_options


@click.command("sii")
@click.option("-p", "--prompt", "task", metavar="TASK", help="Work on one task, without a screen.")
@resume_options
@output_format_option
@settings_options
def command(
    task: str | None,
    output_format: OutputFormat | None,
    go_on: bool,
    ref: str | None,
    bring_back: bool,
    **flags: Any,
) -> int:
    """Open the prompt, or work on one task."""
    resumed = find_resumed(go_on, ref, flags, bring_back=bring_back)
    if task is None and output_format is None and sys.stdin.isatty() and sys.stdout.isatty():
        from sii_cli.commands.asking import ask_about_project
        from sii_cli.prompt.app import run_prompt

        ask_about_project(flags)
        return run_prompt(flags, resumed)
    from sii_cli.commands.headless import read_task, run_task

    text = read_task(task, resumed)
    return run_task(load(flags), text, output_format or "text", resumed=resumed)
