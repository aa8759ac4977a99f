"""The group of all commands: it imports the one that was asked for, and no other."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from sii_cli.errors import EXIT_CODES

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = {
    "run": "Work on one task without a screen.",
    "status": "Show the collection at a glance, and what to do next.",
    "list": "List the recordings.",
    "show": "Print a recording.",
    "diff": "Print what a session changed in its workspace.",
    "replay": "Play a recording as it happened.",
    "search": "Find where something was said, in all recordings.",
    "pack": "Make recordings small; every command still reads them.",
    "prune": "Delete what no recording refers to.",
    "inbox": "Reply to sessions of batches that wait for you.",
    "review": "Step through a recording and judge it.",
    "approve": "Approve a recording.",
    "reject": "Reject a recording.",
    "reviews": "Show who said what about a recording.",
    "people": "Manage public keys of reviewers on other machines.",
    "inspect-sample": "Show what a recording would be trained on, token by token.",
    "withdraw": "Take a speaker's consent back, for all later exports.",
    "export": "Write approved recordings as fine-tuning data.",
    "import": "Make recordings of trajectories from elsewhere.",
    "stats": "Show figures over recordings.",
    "fork": "Begin a session that shares a recording's past.",
    "tree": "Show a recording's family: its parents and forks.",
    "trust": "Trust a foreign recording.",
    "scan": "Look for secrets in recordings.",
    "redact": "Permanently remove secrets from a recording.",
    "verify": "Check that recordings are complete and unchanged.",
    "init": "Make a home: a folder for one collection.",
    "adopt": "Move a batch from elsewhere into the home.",
    "batch": "Run many sessions from a query file.",
    "data": "Manage the data sets of the home.",
    "demo": "Watch a whole task, without a GPU or a server.",
    "serve": "Start a vLLM server with the flags that fit.",
    "doctor": "Check this machine and the model server.",
    "sandbox": "Manage this machine's sandboxes and their images.",
    "config": "Show the settings in force and where each came from.",
    "completion": "Print the script by which a shell completes commands and options.",
}
"""What `sii --help` says of each; `sii_cli/commands/NAME.py` has it as `command`."""

OTHER_OPTIONS = {
    "--version": "Show the version.",
    "--debug": "Before a command: write more to the debug log; show tracebacks.",
}
"""What `sii_cli/main.py` takes by itself."""

PROMPT = "prompt"
"""What runs when no command is named."""


class Sii(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name != PROMPT and cmd_name not in COMMANDS:
            return None
        command = import_module(f"sii_cli.commands.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a task in its place gets a hint."""
        if args[0] != PROMPT and args[0] not in COMMANDS and not ctx.resilient_parsing:
            raise click.UsageError(
                f'there is no command {args[0]!r}; for a task, say `sii -p "…"`.', ctx
            )
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Hand everything to the prompt unless a command is named, or is being completed."""
        if not args and ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        if not args or (args[0].startswith("-") and args[0] != "--help"):
            args = [PROMPT, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command, or an option of the prompt, without importing other commands."""
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            prompt = self.get_command(ctx, PROMPT)
            assert prompt is not None
            return prompt.shell_complete(click.Context(prompt, parent=ctx), incomplete)
        found = [name for name in COMMANDS if name.startswith(incomplete)]
        return [CompletionItem(name, help=COMMANDS[name]) for name in found]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, from what is known without importing them, and the options."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
        prompt = self.get_command(ctx, PROMPT)
        assert prompt is not None
        prompt.format_options(click.Context(prompt, parent=ctx), formatter)
        with formatter.section("Other options"):
            formatter.write_dl(list(OTHER_OPTIONS.items()))


EPILOG = (
    "\b\nExamples:\n"
    "  sii                                  the prompt, in this directory\n"
    '  sii -p "Why does test_parser fail?"  one task\n'
    "  sii -p - < task.md                   one task, from a file\n"
    "\n\b\n"
    + EXIT_CODES
    + "\n\b\nSII_DEBUG=1 shows the traceback of an error, and writes more to ~/.sii/debug.log."
)


@click.group(
    cls=Sii,
    epilog=EPILOG,
    help="Work with a model that uses tools in a sandbox, and record all of it.",
    context_settings={"max_content_width": 100},
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Without a command: the prompt, or with `-p` one task."""
    from sii_cli.batch.first_start import seal_at_first_start

    seal_at_first_start(ctx.invoked_subcommand, sys.argv[2:])
