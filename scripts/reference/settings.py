"""The pages of the settings and of the environment variables."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

from recordings.pins import PINNED
from scripts.reference.markdown import page, plain, table
from sii_cli.config import types
from sii_cli.config.settings import (
    COLLECTION,
    CONFIG_FILE,
    KEY_HOME,
    PROJECT_FOLDER,
    SETTING_FIELDS,
    SETTING_NAMES,
    Settings,
    flag_of,
    variable_of,
)
from sii_cli.options.settings import SWITCHES

_STRICTER = {
    "lower": "a lower value than the default, where you have set none; any value once it is "
    "trusted",
    "fewer": "fewer names, where you have set none; any once it is trusted",
    "on": "true, where you have set nothing; false once it is trusted",
}
_SIZES = ((30, "g"), (20, "m"))

OTHER_VARIABLES = {
    KEY_HOME: "Your own home, where `SII_HOME` names a batch's folder: its key proves what is "
    "recorded and reviewed.",
    "SII_DEBUG": "`1` prints the traceback of an error, and writes requests and sandboxes to "
    "`debug.log` too (`sii --debug` does the same).",
    "EDITOR": "What `sii fork --edit` opens; `VISUAL` comes first.",
    "TERM": "The terminal's type. With `dumb` there is no prompt and no player: use `sii -p`.",
    "DOCKER_HOST": "The Docker engine's address.",
    "HTTP_PROXY": "Proxy of `http` requests to public hosts: model servers, `web_fetch`, "
    "`web_search`, the image's build. Also in small letters, as those that follow.",
    "HTTPS_PROXY": "Proxy of `https` requests to public hosts.",
    "ALL_PROXY": "Proxy where there is none of the two above.",
    "NO_PROXY": "Hosts, ports and networks that are reached without a proxy, by commas.",
    "SSL_CERT_FILE": "A file of certificates to trust, in place of those of Python's `certifi`; "
    "the system's are trusted in any case.",
    "SSL_CERT_DIR": "A folder of certificates, in the same way.",
    "PYTHONPATH": "Its absolute entries outside the working directory are searched for modules, "
    "after sii's own.",
    "PATH": "Where the host's programs (`git`, `bwrap`, …) are found: its absolute folders outside "
    "the working directory.",
}
"""Variables that are not a setting's. A test finds those that the code reads and are not here."""


def pages() -> dict[str, str]:
    """Return the page of the settings and that of the variables."""
    return {"settings.md": _settings(), "environment.md": _environment()}


def _settings() -> str:
    hints = typing.get_type_hints(
        Settings, localns={**vars(types), "WebSettings": object}, include_extras=True
    )
    return page(
        "Settings",
        "A value comes from the first of these that has one: a flag, an environment variable, the "
        f"project's file (`{PROJECT_FOLDER}/{CONFIG_FILE}` in the workspace, [once it is trusted]"
        f"(../explanation/security.md#settings-of-a-project)), your own file "
        f"(`$SII_HOME/{CONFIG_FILE}`), the default. `sii config` prints the values in force and "
        "where each came from. Sizes are bytes, or a number with `k`, `m`, `g` or `t`.",
        *(part for field in SETTING_FIELDS for part in _setting(field, hints[field.name])),
        f"## `[{COLLECTION}]`",
        f"A table of your own file alone. `goal`: how many approved trajectories the home's "
        f"collection is to have. `[{COLLECTION}.pins]`: what all its sessions share, as texts: "
        f"{', '.join(f'`{name}`' for name in PINNED)}; `sii config --pin ID` writes what a "
        "recording used ([keep a collection](../guides/collection.md)).",
    )


def _setting(field: Any, hint: Any) -> list[str]:
    places, stricter = field.metadata["places"], field.metadata["stricter"]
    lines = [f"- Value: {_wanted(hint)}", f"- Default: {_default(field.name, field.default)}"]
    ways = {
        "flag": _flag(field.name),
        "environment": f"`{variable_of(field.name)}`",
        "user": f"`{field.name}` in `$SII_HOME/{CONFIG_FILE}`",
    }
    lines.append("- Set by: " + ", ".join(way for place, way in ways.items() if place in places))
    if "project" not in places:
        lines.append("- A project's file: never")
    elif stricter is None:
        lines.append("- A project's file: once it is trusted")
    else:
        lines.append(f"- A project's file: {_STRICTER[stricter]}")
    return [f"## `{field.name}`", plain(field.metadata["help"]), "\n".join(lines)]


def _flag(name: str) -> str:
    flag = flag_of(name)
    return f"`{flag}`, `--no-{flag[2:]}`" if name in SWITCHES else f"`{flag}`"


def _wanted(hint: Any) -> str:
    """Say what a value may be, in the words of the type."""
    for part in (hint, *typing.get_args(hint)):
        for extra in getattr(part, "__metadata__", ()):
            if title := getattr(extra, "title", None):
                return plain(str(title))
    return " or ".join(f"`{one}`" for one in _choices(hint))


def _choices(hint: Any) -> Iterator[str]:
    """Yield the values of a closed choice, which may also be not set."""
    for one in typing.get_args(hint):
        if one is not type(None):
            yield from typing.get_args(one) or (one,)


def _default(name: str, value: Any) -> str:
    if name == "workspace":
        return "the current directory"
    if value is None or value == ():
        return "not set"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{one}`" for one in value)
    if isinstance(value, int):
        size = next(((b, unit) for b, unit in _SIZES if value and value % (1 << b) == 0), None)
        return f"`{value >> size[0]}{size[1]}`" if size else f"`{value}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _environment() -> str:
    own = [
        (f"`{variable_of(name)}`", f"[`{name}`](settings.md#{name})")
        for name, field in zip(SETTING_NAMES, SETTING_FIELDS, strict=True)
        if "environment" in field.metadata["places"]
    ]
    return page(
        "Environment variables",
        "An empty variable counts as one that is not set. A variable that looks like a setting's "
        "but is none is named in a warning.",
        "## Of settings",
        table(("variable", "setting"), own),
        "## Others",
        table(("variable", ""), [(f"`{name}`", text) for name, text in OTHER_VARIABLES.items()]),
    )
