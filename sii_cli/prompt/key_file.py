"""The user's own keys of the prompt: `keys.toml` in the home puts one key in place of another.

A line `"c-t" = "f2"` lets F2 do what Ctrl-T does, which then does nothing. Keys are named as
prompt_toolkit names them; `escape enter` is Alt-Enter.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.keys import Keys

from recordings.errors import UNPARSABLE, why_unparsable
from recordings.storage.opening import read_named
from sii_cli.errors import UsageError

KEY_FILE = "keys.toml"
LARGEST = 1 << 16
"""Bytes of the file."""

Sequence = tuple[Keys | str, ...]


def read_key_file(home: Path) -> dict[Sequence, Sequence]:
    """Return which keys replace which; empty without a file. Raises `UsageError`."""
    path = home / KEY_FILE
    try:
        table = tomllib.loads(read_named(path, LARGEST).decode())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error
    except UNPARSABLE as error:
        raise UsageError(f"{path} is not valid TOML: {why_unparsable(error)}.") from error
    return {_parse(old, path): _parse(new, path) for old, new in table.items()}


def replace_keys(keys: KeyBindings, replaced: Mapping[Sequence, Sequence]) -> KeyBindings:
    """Return the bindings with other keys. Raises `UsageError` for a key that does nothing."""
    bound = {binding.keys for binding in keys.bindings}
    if unknown := [old for old in replaced if old not in bound]:
        raise UsageError(f"{KEY_FILE}: {_name(unknown[0])} does nothing at the prompt.")
    result = KeyBindings()
    for binding in keys.bindings:
        new = replaced.get(binding.keys, binding.keys)
        result.add(*new, filter=binding.filter, eager=binding.eager)(binding.handler)
    return result


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
