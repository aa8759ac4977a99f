"""`sii doctor`: what works here and what does not, each with its remedy."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import asdict
from typing import Any

import click

from sii_cli.commands.options import example, load, settings_options
from sii_cli.config import Settings
from sii_cli.errors import DONE, FAILED

MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}
LONGEST = 300
"""Characters of what was found."""
COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command(
    "doctor",
    help="Check this machine and the model server; takes less than a minute and harms nothing.",
    epilog=example("sii doctor", "sii doctor --base-url http://gpu1:8000", "sii doctor --json"),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@settings_options
def command(as_json: bool, **flags: Any) -> int:
    """Run the checks; fails when one of them does."""
    return asyncio.run(_run(load(flags), as_json))


async def _run(settings: Settings, as_json: bool) -> int:
    from sii_cli.doctor import examine
    from sii_cli.render.sanitise import one_line

    counts: Counter[str] = Counter()
    endpoint = ""
    async for check in examine(settings):
        counts[check.status] += 1
        if as_json:
            click.echo(json.dumps(asdict(check)))
            continue
        if check.endpoint != endpoint:
            endpoint = check.endpoint
            click.echo(f"{one_line(endpoint, LONGEST)}:")
        mark = click.style(MARKS[check.status], fg=COLOURS[check.status])
        click.echo(f"{mark}  {check.name:<15}  {one_line(check.found, LONGEST)}")
        if check.remedy and check.status != "ok":
            click.echo(f"{'':<23}→ {check.remedy}")
    if not as_json:
        click.echo(f"{counts['ok']} ok, {counts['warn']} warnings, {counts['fail']} failures")
    return FAILED if counts["fail"] else DONE
