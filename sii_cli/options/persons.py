"""Resuming a session of another person, in a home that several share: asked once, by name."""

from __future__ import annotations

import hashlib
import os
import pwd
import shlex
from pathlib import Path

import click

from sii_cli.config.settings import find_key_home
from sii_cli.errors import UsageError
from sii_cli.options.settings import load_for_recordings


def allow_person(
    folder: Path, recorded: str | None, speaker: str | None, allowed: str | None, by_human: bool
) -> None:
    """Make sure that the user may resume a session whose speaker was `recorded`.

    `speaker` and `allowed` come from the command line; a yes is kept. Raises `UsageError`,
    `RecordingError`.
    """
    person = _other_person(folder, recorded, speaker)
    if person is None:
        return
    from recordings.trust.grants import grant, is_granted
    from sii_cli.config.home_key import writing_key
    from sii_cli.text.sanitise import one_line

    home, sha256 = find_key_home(os.environ), hashlib.sha256(person.encode()).hexdigest()
    if is_granted(home, "person", person, sha256):
        return
    shown = one_line(person, 60)
    if allowed != person:
        if not by_human:
            raise UsageError(
                f"{folder.name} is a session of {shown}: to resume it, and others of "
                f"this person, say --allow-person {shlex.quote(shown)}."
            )
        click.confirm(
            f"{folder.name} is a session of {shown}. Resume it, and others of this person?",
            abort=True,
            err=True,
        )
    writing_key()
    grant(home, "person", person, sha256)


def _other_person(folder: Path, recorded: str | None, speaker: str | None) -> str | None:
    """Return who it was; None when it was the user, or is not recorded."""
    owner = folder.stat().st_uid
    if owner != os.geteuid():
        try:
            return pwd.getpwuid(owner).pw_name
        except KeyError:
            return f"user {owner}"
    if recorded is None:
        return None
    return None if load_for_recordings({"speaker": speaker}).speaker == recorded else recorded
