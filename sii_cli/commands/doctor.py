"""`sii doctor`: what works here and what does not, each with its remedy."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from sii_cli.commands.checks import report
from sii_cli.commands.options import example, load, settings_options


@click.command(
    "doctor",
    help="Check this machine and the model server; takes less than a minute and harms nothing.",
    epilog=example("sii doctor", "sii doctor --base-url http://gpu1:8000", "sii doctor --json"),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@settings_options
def command(as_json: bool, **flags: Any) -> int:
    """Run the checks; fails when one of them does."""
    settings = load(flags)
    from sii_cli.doctor import examine

    return asyncio.run(report(examine(settings), as_json))
