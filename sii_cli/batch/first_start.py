"""The first start of this version in a home: what is there is sealed as the user's, once."""

from __future__ import annotations

import os

from sii_cli.config.settings import find_home, find_key_home

_SEALED = "sealed"
"""File of a home: what was there is sealed (`recordings.trust.first_start`)."""
_BATCHES = "batches"
_READ_ONLY = frozenset({"completion", "verify", "doctor", "config", "sandbox", "serve"})
"""Commands that neither change recordings nor judge them."""


def seal_at_first_start(command: str | None, arguments: list[str]) -> None:
    """Seal what is in the user's home when the first command of this version uses it.

    Reports it in a line. Raises `HomeKeyUnusable`.
    """
    home = find_key_home(os.environ)
    if command in _READ_ONLY or {"--validate", "--help"}.intersection(arguments):
        return
    if home != find_home(os.environ) or os.path.lexists(home / _SEALED) or not home.is_dir():
        return
    from recordings.errors import RecordingFailed
    from recordings.trust.first_start import seal_existing
    from recordings.trust.home_key import home_key
    from sii_cli.batch.plan.seal import seal_plans
    from sii_cli.options.recordings import warn
    from sii_cli.render.figures import counted

    try:
        if (home / _BATCHES).is_dir():
            seal_plans(home, home_key(home))
        sealed = seal_existing(home)
    except RecordingFailed as error:  # a command that only reads can continue
        warn(f"{error} So what was recorded here counts as foreign.")
        return
    if sealed:
        count = counted(sealed, "recording", "recordings")
        verb = "is" if sealed == 1 else "are"
        warn(f"{count} of this home {verb} sealed as yours (docs/explanation/security.md).")
