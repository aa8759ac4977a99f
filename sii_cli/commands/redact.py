"""`sii redact`: permanently remove secrets from a recording."""

from __future__ import annotations

import sys

import click

from sii_cli.commands.scan import describe
from sii_cli.errors import UsageError
from sii_cli.options.homes import homes_option
from sii_cli.options.recordings import REFS_HELP, find_one, warn_when_void
from sii_cli.options.secrets import SECRETS_HELP, make_finder, secret_options
from sii_cli.options.settings import example
from sii_cli.review.verdicts import find_reviewer


@click.command(
    "redact",
    help="Permanently remove secrets from a recording: ‹redacted:NAME› replaces them, the lines "
    "are chained again, and the old hash is noted, so that approvals no longer hold. Forks "
    f"and copies keep what they have. {REFS_HELP} {SECRETS_HELP}",
    epilog=example("sii redact last", "sii redact 20261123-2049 --variable DB_PASSWORD"),
)
@click.argument("ref", metavar="ID")
@click.option("--whole", is_flag=True, help="Keep nothing of a text that holds a secret.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--speaker", metavar="NAME", help="Pseudonym of who redacts.")
@secret_options
@homes_option
def command(
    ref: str, whole: bool, yes: bool, speaker: str | None, variables: tuple[str, ...], entropy: bool
) -> None:
    """Redact a recording."""
    from recordings.redaction.redactor import Redactor
    from recordings.redaction.rewrite import redact, scan
    from sii_cli.config.home_key import origin_here, review_keys, writing_key

    folder, by = find_one(ref), find_reviewer(speaker)
    finder = make_finder(variables, entropy)
    found: dict[tuple[str, str], set[int]] = {}
    for finding in scan(folder, finder):
        found.setdefault((finding.secret.name, finding.secret.how), set()).add(finding.seq)
    if not found:
        click.echo(f"{folder.name}  no secrets found; nothing was changed")
        return
    click.echo("\n".join(describe(folder.name, found)), err=True)
    _confirm(yes)
    is_own = origin_here(folder) != "foreign"
    key = writing_key(folder) if is_own else None
    note = redact(folder, Redactor(finder, whole=whole), by=by, key=key, keys=review_keys(folder))
    if note is None:
        click.echo(f"{folder.name}  nothing was changed")
        return
    click.echo(f"{folder.name}  {', '.join(note.names)} taken out of {len(note.seqs)} events")
    warn_when_void(folder)


def _confirm(yes: bool) -> None:
    """Ask before what cannot be undone. Raises `UsageError`, `click.Abort`."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("Redaction cannot be undone: say --yes to do it without being asked.")
    click.confirm("Remove these permanently?", abort=True, err=True)
