"""How the checks of a doctor are printed, as they are done."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from sii_cli.errors import DONE, FAILED

if TYPE_CHECKING:
    from sii_cli.doctor.server_checks import DoctorCheck

MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}
COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
LONGEST = 300
"""Characters of what was found."""


async def report(checks: AsyncIterator[DoctorCheck], as_json: bool) -> int:
    """Print every check; return the exit code: a failure is one of the command's."""
    from sii_cli.render.figures import counted
    from sii_cli.text.sanitise import one_line

    counts: Counter[str] = Counter()
    endpoint = ""
    async for check in checks:
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
        warnings = counted(counts["warn"], "warning", "warnings")
        failures = counted(counts["fail"], "failure", "failures")
        click.echo(f"{counts['ok']} ok, {warnings}, {failures}")
    return FAILED if counts["fail"] else DONE
