"""`sii scan`: the secrets in recordings. Their values are not printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sii_cli.errors import DONE, FAILED
from sii_cli.options.homes import homes_option
from sii_cli.options.recordings import REFS_HELP, find_all, warn, warn_when_void
from sii_cli.options.secrets import SECRETS_HELP, make_finder, secret_options
from sii_cli.options.settings import example
from sii_cli.render.figures import counted

if TYPE_CHECKING:
    from recordings.redaction.rewrite import Finding
    from recordings.redaction.secrets import SecretFinder

FEW = 8
"""Events that are named of each secret."""


@click.command(
    "scan",
    help=f"Look for secrets in recordings: those named, or all. {REFS_HELP} {SECRETS_HELP} Exits "
    "with 1 when some are found; `sii redact` takes them out.",
    epilog=example("sii scan", "sii scan last --entropy", "sii scan --json | jq -r .id | sort -u"),
)
@click.argument("refs", metavar="[ID]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object for every place.")
@secret_options
@homes_option
def command(refs: tuple[str, ...], as_json: bool, variables: tuple[str, ...], entropy: bool) -> int:
    """Scan recordings."""
    finder = make_finder(variables, entropy)
    clean = [_scan(folder, finder, as_json) for folder in find_all(refs, not refs)]
    if not as_json:
        click.echo(f"{clean.count(True)} of {len(clean)} recordings are without secrets.")
    return DONE if all(clean) else FAILED


def _scan(folder: Path, finder: SecretFinder, as_json: bool) -> bool:
    """Scan one recording, say what was found, and return whether it was nothing."""
    from recordings.errors import UNREADABLE, why_damaged
    from recordings.redaction.rewrite import scan

    found: dict[tuple[str, str], set[int]] = {}
    warn_when_void(folder)
    try:
        for finding in scan(folder, finder):
            secret = finding.secret
            found.setdefault((secret.name, secret.how), set()).add(finding.seq)
            if as_json:
                click.echo(json.dumps(_facts(folder.name, finding)))
    except UNREADABLE as error:
        warn(f"{folder.name}: {why_damaged(error)}")
        return False
    if not as_json:
        for line in describe(folder.name, found):
            click.echo(line)
    return not found


def describe(name: str, found: dict[tuple[str, str], set[int]]) -> list[str]:
    """Return a line for each secret: where it stands."""
    lines = []
    for (secret, how), seqs in sorted(found.items()):
        places = ", ".join(map(str, sorted(seqs)[:FEW])) + (", …" if len(seqs) > FEW else "")
        events = counted(len(seqs), "event", "events")
        lines.append(f"{name}  {secret} ({how})  in {events}: {places}")
    return lines


def _facts(name: str, finding: Finding) -> dict[str, object]:
    secret = finding.secret
    where = {"seq": finding.seq, "in_blob": finding.in_blob}
    return {"id": name, **where, "name": secret.name, "how": secret.how}
