"""`sii people`: reviewers on other machines, and the keys that they are known by."""

from __future__ import annotations

import os

import click

from sii_cli.config.settings import find_key_home
from sii_cli.options.recordings import warn
from sii_cli.options.settings import example
from sii_cli.review.verdicts import find_reviewer, speaker_option


@click.group(
    "people",
    help="Manage public keys of reviewers on other machines: a review that arrives with a "
    "recording counts when it is signed by the person whom it names. Needs `sii-cli[keys]`.",
    epilog=example("sii people key", "sii people add ada ed25519:8a88e3dd74…", "sii people list"),
)
def command() -> None:
    """Without a command of its own: the help."""


@command.command(
    "key",
    short_help="Print your public key; your reviews are signed from then on.",
    help="Print the line for the people.toml of a home that is to count your reviews. Makes a key "
    "when there is none. Reviews are signed with it from then on; those before are not. The "
    "private half stays in person_key of this home.",
    epilog=example("sii people key", "sii people key --speaker ada"),
)
@speaker_option
def key_command(speaker: str | None) -> None:
    """Print one's own public key."""
    from recordings.trust.people import line_of
    from recordings.trust.person_key import person_key
    from sii_cli.config.home_key import writing_key

    reviewer = find_reviewer(speaker)
    writing_key()  # also seals what is here, so that nothing which comes later is
    click.echo(line_of(reviewer, person_key(find_key_home(os.environ)).public))
    click.echo(
        "A home that is to count your reviews needs it: `sii people add NAME KEY` there.", err=True
    )


@command.command(
    "add",
    short_help="Count the reviews that a person signs.",
    help="Count the reviews that a person signs, as NAME and with the private half of KEY alone. "
    "Get the key from the person, not from a file beside recordings. Kept in people.toml of this "
    "home, where it can be changed or removed.",
    epilog=example("sii people add ada ed25519:8a88e3dd74…"),
)
@click.argument("name")
@click.argument("key")
def add_command(name: str, key: str) -> None:
    """Add a person."""
    from recordings.trust.people import add_person
    from sii_cli.config.home_key import writing_key

    writing_key()
    add_person(find_key_home(os.environ), name, key)
    click.echo(f"Reviews of {name} count here when signed with this key.")


@command.command(
    "list",
    short_help="List the people and their keys.",
    help="List the people whose signed reviews count here, and their keys.",
    epilog=example("sii people list"),
)
def list_command() -> None:
    """List people."""
    from recordings.trust.people import find_people, line_of

    people = find_people(find_key_home(os.environ))
    for name, keys in people.items():
        for key in keys:
            click.echo(line_of(name, key))
    if not people:
        warn("No keys of people are known here.")
