"""Which homes a command reads: the user's, or those that `--home` names."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import click

from sii_cli.config.paths import real_path
from sii_cli.config.settings import find_home, find_key_home, find_usual_home, variable_of

_NAMED = "named homes"
"""In click's `Context.meta`: the named homes, and which of them are the user's."""
_USERS = "the user's home"
"""There as well: the home that knows them."""


def name_homes(context: click.Context, homes: Sequence[Path]) -> None:
    """Let a command read these homes. A single one of the user's own is its home, as if `SII_HOME`
    named it. Raises `HomeKeyUnusable`.
    """
    named = {home: is_users(home) for home in homes}
    context.meta[_NAMED], context.meta[_USERS] = named, find_key_home(os.environ)
    if list(named.values()) == [True]:
        variable, before = variable_of("home"), os.environ.get(variable_of("home"))
        os.environ[variable] = str(homes[0])
        context.call_on_close(lambda: _set(variable, before))


def read_homes() -> list[Path]:
    """Return the homes that the running command reads."""
    return list(_named()) or [find_home(os.environ)]


def home_words() -> str:
    """Return ` --home DIR` for a command that is to be run in the same home, if it was named so."""
    return "".join(f" --home {shlex.quote(str(home))}" for home in _named())


def key_home_of(folder: Path) -> Path:
    """Return the home whose key proves and judges what is said of a recording.

    That is the user's home, and for a recording in another of the user's homes that one.
    """
    for home, of_user in _named().items():
        if of_user and folder.is_relative_to(home):
            return home
    return find_key_home(os.environ)


def is_users(home: Path) -> bool:
    """Return whether a folder is a home of the user: the one in force, or one that it knows
    (`know_home`), by its key. Raises `HomeKeyUnusable` for that of the home in force.
    """
    from recordings.trust.grants import is_granted
    from recordings.trust.home_key import find_key
    from recordings.trust.key_files import HomeKeyUnusable

    user = find_key_home(os.environ)
    if real_path(home) == real_path(user):
        return True
    with suppress(HomeKeyUnusable):  # of a foreign home it proves nothing, whatever it is
        key = find_key(home)
        return key is not None and is_granted(user, "home", str(real_path(home)), key.name)
    return False


def know_home(home: Path) -> None:
    """Keep that a home is the user's too. Raises `HomeKeyUnusable`, `RecordingFailed`."""
    from recordings.trust.first_start import working_key
    from recordings.trust.grants import grant
    from recordings.trust.home_key import home_key

    user = find_key_home(os.environ)
    if real_path(home) != real_path(user):
        working_key(user)
        grant(user, "home", str(real_path(home)), home_key(home).name)


def users_homes(env: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the user's homes: those in force, the usual one, and those that `sii init` made.

    No sandbox may show one: what works in it could read its key and change its settings.
    """
    from recordings.trust.grants import granted_names
    from recordings.trust.home_key import KEY
    from recordings.trust.key_files import HomeKeyUnusable

    context = click.get_current_context(silent=True)
    before = [context.meta[_USERS]] if context and _USERS in context.meta else []
    knowing = dict.fromkeys((find_key_home(env), *before, find_usual_home()))
    made: list[Path] = []
    for home in knowing:
        with suppress(HomeKeyUnusable):  # reported by what needs the key
            made += map(Path, granted_names(home, "home"))
    others = (home for home in (*knowing, *made) if os.path.lexists(home / KEY))
    return tuple(dict.fromkeys((find_home(env), find_key_home(env), *others)))


def _named() -> dict[Path, bool]:
    context = click.get_current_context(silent=True)
    named: dict[Path, bool] = {} if context is None else context.meta.get(_NAMED, {})
    return named


def _set(variable: str, value: str | None) -> None:
    if value is None:
        del os.environ[variable]
    else:
        os.environ[variable] = value
