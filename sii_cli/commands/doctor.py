"""`sii doctor`: what works here and what does not, each with its remedy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import click

from sii_cli.options.settings import example, load, settings_options
from sii_cli.render.checks import report

if TYPE_CHECKING:
    from sii_cli.doctor.server_checks import DoctorCheck


@click.command(
    "doctor",
    help="Check this machine and the model server; takes less than a minute and harms nothing.",
    epilog=example("sii doctor", "sii doctor --base-url http://gpu1:8000", "sii doctor --record"),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option(
    "--record",
    is_flag=True,
    help="Put the result into the recordings that begin with this server in the next 24 hours.",
)
@settings_options
def command(as_json: bool, record: bool, **flags: Any) -> int:
    """Run the checks; fails when one of them does."""
    settings = load(flags)
    from sii_cli.doctor.machine import examine
    from sii_cli.doctor.record import keep_checks

    found: list[DoctorCheck] = []
    code = asyncio.run(report(_kept(examine(settings), found), as_json))
    if record:
        path = keep_checks(settings.home, settings.base_urls, found)
        click.echo(f"kept in {path}: new recordings have it from now on", err=True)
    return code


async def _kept(
    checks: AsyncIterator[DoctorCheck], found: list[DoctorCheck]
) -> AsyncIterator[DoctorCheck]:
    async for check in checks:
        found.append(check)
        yield check
