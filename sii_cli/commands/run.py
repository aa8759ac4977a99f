"""`sii run`: one task without an input line."""

from __future__ import annotations

from typing import Any

import click

from sii_cli.options.homes import home_option
from sii_cli.options.resume import find_resumed, resume_options
from sii_cli.options.settings import (
    OutputFormat,
    example,
    load,
    output_format_option,
    settings_options,
)


@click.command(
    "run",
    help="Work on one task. Without TASK (or with -) it is read from standard input.",
    epilog=example(
        'sii run "Why does test_parser fail?"',
        "sii run --output-format json < task.md | jq -r .answer",
    ),
)
@click.argument("task", required=False)
@resume_options
@output_format_option
@settings_options
@home_option
def command(
    task: str | None,
    output_format: OutputFormat | None,
    **flags: Any,
) -> int:
    """Work on one task."""
    resumed = find_resumed(flags, by_human=False)
    from sii_cli.headless.run import read_task, run_task

    text = read_task(task, resumed)
    return run_task(load(flags), text, output_format or "text", resumed=resumed)
