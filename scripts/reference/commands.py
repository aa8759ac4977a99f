"""The pages of the commands, as click knows them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from scripts.reference.markdown import fenced, page, plain, table
from sii_cli.commands.group import COMMANDS, OTHER_OPTIONS, PROMPT, cli
from sii_cli.config.settings import SETTING_NAMES, flag_of
from sii_cli.errors import EXIT_CODES
from sii_cli.prompt.commands.registry import COMMANDS as SLASH_COMMANDS
from sii_cli.prompt.slash import KEYS

_FEW = 5
"""With more flags of settings than these, a command is one that takes all of them."""


def pages() -> dict[str, str]:
    """Return the overview, and a page for each command."""
    contexts = {name: _context(name) for name in (PROMPT, *COMMANDS)}
    return {
        "commands.md": _overview(),
        **{
            f"commands/{_file(name)}": page(f"`{context.command_path}`", *_parts(context))
            for name, context in contexts.items()
        },
    }


def _file(name: str) -> str:
    return "sii.md" if name == PROMPT else f"{name}.md"


def _context(name: str) -> click.Context:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return click.Context(command, info_name="sii" if name == PROMPT else f"sii {name}")


def _overview() -> str:
    rows = [(f"[`sii {name}`](commands/{_file(name)})", plain(COMMANDS[name])) for name in COMMANDS]
    files = "\n".join(f"commands/{_file(name)}" for name in (PROMPT, *COMMANDS))
    keys = [(f"`{key}`", what) for key, what in KEYS.items()]
    commands = [(f"`{name}`", one.help) for name, one in SLASH_COMMANDS.items()]
    return page(
        "Commands",
        "[`sii`](commands/sii.md) without a command opens the prompt, or works on one task with "
        "`-p`. `--help` behind any command prints what its page says.",
        table(("command", ""), rows),
        "## At the prompt",
        table(("key", ""), keys),
        table(("command", ""), commands),
        "## Other options",
        "\n".join(f"- `{name}`: {plain(what)}" for name, what in OTHER_OPTIONS.items()),
        "## Exit codes",
        table(("code", ""), _exit_codes()),
        f"```{{toctree}}\n:hidden:\n\n{files}\n```",
    )


def _exit_codes() -> Iterator[tuple[str, str]]:
    for line in EXIT_CODES.splitlines():
        if match := re.fullmatch(r"\s+(\d+)\s+(.+)", line):
            yield f"`{match[1]}`", match[2]


def _parts(context: click.Context, level: str = "##") -> Iterator[str]:
    """Yield what a command's page says below its title."""
    command = context.command
    if command.help:
        yield from _help(command.help)
    if command.add_help_option:  # else one of its commands speaks for it
        yield fenced(" ".join([context.command_path, *command.collect_usage_pieces(context)]))
    if examples := _examples(command.epilog or ""):
        yield f"{level} Examples"
        yield fenced("\n".join(f"$ {line}" for line in examples), "console")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            below = click.Context(inner, info_name=name, parent=context)
            yield f"{level} `{below.command_path}`"
            yield from _parts(below, f"{level}#")
        return
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    settings = [one for one in options if one.name in SETTING_NAMES]
    if len(settings) <= _FEW:
        settings = []
    own = [one for one in options if one not in settings]
    if own:
        yield f"{level} Options"
        yield "\n".join(_option(option, context) for option in own)
    if settings:
        yield f"{level} Settings"
        flags = ", ".join(_setting(str(option.name)) for option in settings)
        yield f"These [settings](../settings.md) have flags: {flags}."


def _help(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; those that are not to be wrapped are code."""
    for paragraph in re.sub(r"\n[ \t]+\n", "\n\n", text).split("\n\n"):
        if paragraph.startswith("\b"):
            yield fenced(paragraph.removeprefix("\b").strip("\n"))
        else:
            yield plain(" ".join(paragraph.split()))


def _examples(epilog: str) -> list[str]:
    _, _, rest = epilog.partition("Example:\n")
    return [line.strip() for line in rest.splitlines() if line.strip()]


def _option(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    assert record is not None
    names, text = record
    return f"- `{names}`: {plain(' '.join(text.split()))}"


def _setting(name: str) -> str:
    return f"[`{flag_of(name)}`](../settings.md#{name})"
