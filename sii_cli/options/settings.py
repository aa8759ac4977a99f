"""The options of settings: one for every setting that a flag may give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import click

from sandbox.backends import BACKENDS
from sii_cli.config.settings import SETTING_FIELDS, Settings, flag_of
from tools.web.search_providers.registry import SEARCH_PROVIDERS

SWITCHES = {
    "ask_at_exit",
    "bell",
    "compact",
    "enable_thinking",
    "keep_reasoning",
    "read_only",
    "record_logprobs",
    "redact_whole",
    "show_thinking",
    "snapshots",
}
REPEATED = {"mounts", "data", "setup", "env"}
OutputFormat = Literal["text", "json", "stream-json"]
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

PLACEHOLDERS = {
    "base_url": "URL",
    "workspace": "DIR",
    "system_prompt": "FILE",
    "searxng_url": "URL",
    "memory": "SIZE",
    "tools": "NAMES",
    "allow_net": "HOSTS",
    "sandbox": "|".join(BACKENDS),
    "search_provider": "|".join(SEARCH_PROVIDERS),
    "model": "NAME",
    "image": "NAME",
    "mounts": "SRC[:TARGET]",
    "data": "NAME",
    "setup": "COMMAND",
    "env": "NAME[=VALUE]",
    "speaker": "NAME",
    "tokenizer": "PATH",
    "wire": "auto|ids|messages",
    "permissions": "auto|ask",
    "redact": "known|patterns|names|entropy",
}


def settings_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command a flag for every setting. Values come in unchecked, as `dict` or `None`s."""
    for setting in reversed(SETTING_FIELDS):
        if "flag" in setting.metadata["places"]:
            function = _option(setting.name, setting.metadata["help"])(function)
    return function


def _option(name: str, help_text: str) -> Decorator:
    flag = flag_of(name)
    if name in SWITCHES:
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=help_text)
    metavar = PLACEHOLDERS.get(name, "N")
    if name in REPEATED:
        return click.option(
            flag, name, metavar=metavar, help=help_text, multiple=True, callback=_none_if_empty
        )
    return click.option(flag, name, metavar=metavar, help=help_text)


def _none_if_empty(_ctx: object, _parameter: object, values: tuple[str, ...]) -> Any:
    """Return None for a flag that was not given."""
    return list(values) or None


def load(flags: dict[str, Any]) -> Settings:
    """Put the settings together from flags, the environment and the files."""
    import os

    from sii_cli.assembly import start_debug_log
    from sii_cli.config.load import load_settings

    settings = load_settings(flags, os.environ)
    start_debug_log(settings)
    return settings


def load_for_recordings(flags: dict[str, Any] | None = None) -> Settings:
    """Put the settings together for a command without a workspace: it may be run anywhere, also in
    the home directory.
    """
    import os

    from sii_cli.config.load import load_settings

    return load_settings(flags or {}, os.environ, works=False)


def example(*lines: str) -> str:
    """Return a help's last part: how the command is used."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def output_format_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--output-format`."""
    return click.option(
        "--output-format",
        type=click.Choice(["text", "json", "stream-json"]),
        help="How one task is printed: what happens (text, the default), one object at the end "
        "(json), or the recording's lines as they are written (stream-json).",
    )(function)
