"""What counts as a secret for `sii scan` and `sii redact`: known values, patterns, entropy."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from sii_cli.errors import UsageError
from sii_cli.options.settings import load_for_recordings

if TYPE_CHECKING:
    from recordings.redaction.secrets import SecretFinder

SECRETS_HELP = (
    "Secrets are the values of environment variables and settings whose names say so (…_KEY, "
    "…_TOKEN, …_PASSWORD), and what looks like a key, a token or a password."
)


def secret_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--variable` and `--entropy`, for `make_finder`."""
    function = click.option(
        "--entropy", is_flag=True, help="Also what only looks random; finds more than secrets."
    )(function)
    return click.option(
        "--variable",
        "variables",
        multiple=True,
        metavar="NAME",
        help="Also the value of this environment variable; may be repeated.",
    )(function)


def make_finder(variables: tuple[str, ...], entropy: bool) -> SecretFinder:
    """Return what finds secrets. Raises `UsageError` for a variable without a usable value."""
    from recordings.redaction.secrets import SHORTEST, SecretFinder, known_secrets

    known = known_secrets(os.environ, load_for_recordings().keys)
    for name in variables:
        value = os.environ.get(name, "")
        if len(value) < SHORTEST:
            raise UsageError(
                f"The variable {name!r} is not set, or shorter than {SHORTEST} characters: "
                "set it to the secret."
            )
        known[name] = value
    return SecretFinder(known, "entropy" if entropy else "names")
