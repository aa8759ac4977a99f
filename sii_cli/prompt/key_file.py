"""The user's own keys: `keys.toml` in the home puts one key in place of another.

A line `"c-t" = "f2"` lets F2 do what Ctrl-T does, which then does nothing; `"c-t" = false` switches
the key off. The table `[review]` has those of a review. Keys are named as prompt_toolkit names
them; `escape enter` is Alt-Enter.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.keys import Keys

from recordings.errors import UNPARSABLE, why_unparsable
from recordings.storage.opening import read_named
from sii_cli.errors import UsageError

KEY_FILE = "keys.toml"
LARGEST = 1 << 16
"""Bytes of the file."""

Sequence = tuple[Keys | str, ...]
Replaced = Mapping[Sequence, Sequence | None]
"""Which key is replaced by which; `None`: it is switched off."""
Place = Literal["at the prompt", "in a review"]


@dataclass(frozen=True, slots=True)
class ReviewScreenKeys:
    """The user's own keys of a review."""

    replaced: Replaced
    letters_with_alt: bool = False
    """Whether every key that is a letter, a digit or a sign wants Alt."""

    @property
    def summary(self) -> str:
        """What differs from the usual keys, in a line; empty where nothing does."""
        lines = [
            f"{_name(old)} is off" if new is None else f"{_name(new)} for {_name(old)}"
            for old, new in self.replaced.items()
        ]
        return " · ".join([*(["letters want Alt"] if self.letters_with_alt else []), *lines])


def read_key_file(home: Path) -> Replaced:
    """Return which keys of the prompt replace which; empty without a file. Raises `UsageError`."""
    table = _read(home / KEY_FILE)
    return _parse_table({name: to for name, to in table.items() if name != "review"}, home)


def read_review_keys(home: Path) -> ReviewScreenKeys:
    """Return the user's own keys of a review. Raises `UsageError`."""
    path = home / KEY_FILE
    table = _read(path).get("review", {})
    if not isinstance(table, dict):
        raise UsageError(f"{path}: `review` is a table: write [review] above its keys.")
    letters = table.pop("letters", None)
    if letters not in (None, "alt"):
        raise UsageError(f'{path}: `letters` can only be "alt".')
    return ReviewScreenKeys(_parse_table(table, home), letters_with_alt=letters == "alt")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_named(path, LARGEST).decode())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error
    except UNPARSABLE as error:
        raise UsageError(f"{path} is not valid TOML: {why_unparsable(error)}.") from error


def _parse_table(table: Mapping[str, Any], home: Path) -> Replaced:
    path = home / KEY_FILE
    return {
        _parse(old, path): None if new is False else _parse(new, path) for old, new in table.items()
    }


def replace_keys(
    keys: KeyBindings, replaced: Replaced, place: Place = "at the prompt"
) -> KeyBindings:
    """Return the bindings with other keys.

    Raises `UsageError` for a key that does nothing, and for one that would do two things.
    """
    bound = {binding.keys for binding in keys.bindings}
    if unknown := [old for old in replaced if old not in bound]:
        raise UsageError(f"{KEY_FILE}: {_name(unknown[0])} does nothing {place}.")
    wanted = [new for new in replaced.values() if new is not None]
    taken = [new for new in wanted if wanted.count(new) > 1 or new in bound - set(replaced)]
    if taken:
        remedy = f"give it another key, or switch it off: {_name(taken[0])!r} = false"
        raise UsageError(f"{KEY_FILE}: {_name(taken[0])} does something else {place}; {remedy}.")
    result = KeyBindings()
    for binding in keys.bindings:
        new = replaced.get(binding.keys, binding.keys)
        if new is None:
            continue
        result.add(*new, filter=binding.filter, eager=binding.eager)(binding.handler)
    return result


def replace_review_keys(keys: KeyBindings, own: ReviewScreenKeys) -> KeyBindings:
    """Return the bindings of a review with the user's own keys. Raises `UsageError`."""
    if own.replaced.get(("y",)) == (Keys.ControlM,):
        raise UsageError(f"{KEY_FILE}: Enter sends no verdict: choose another key for y.")
    replaced: dict[Sequence, Sequence | None] = {}
    if own.letters_with_alt:
        letters = [one.keys for one in keys.bindings if _is_letter(one.keys)]
        replaced |= {letter: (Keys.Escape, *letter) for letter in letters}
    return replace_keys(keys, {**replaced, **own.replaced}, "in a review")


def _is_letter(keys: Sequence) -> bool:
    return len(keys) == 1 and not isinstance(keys[0], Keys) and keys[0] != " "


def _parse(text: object, path: Path) -> Sequence:
    parsed = KeyBindings()
    try:
        parsed.add(*str(text).split())(lambda event: None)
    except (ValueError, AssertionError):
        remedy = "say one such as c-t, f2 or s-tab"
        raise UsageError(f"{path}: {text!r} is not a key: {remedy}.") from None
    return parsed.bindings[0].keys


def _name(sequence: Sequence) -> str:
    return " ".join(key.value if isinstance(key, Keys) else key for key in sequence)
