"""`sii completion`: the script by which a shell completes commands and options."""

from __future__ import annotations

import click

from sii_cli.options.settings import example

SHELLS = ("bash", "zsh", "fish")


@click.command(
    "completion",
    help="Print the script by which a shell completes the commands and options of sii. "
    "Put the line of your shell into its start-up file.",
    epilog=example(
        'eval "$(sii completion bash)"   # in ~/.bashrc',
        'eval "$(sii completion zsh)"    # in ~/.zshrc',
        "sii completion fish | source   # in ~/.config/fish/config.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    completer = kind(ctx.find_root().command, {}, "sii", "_SII_COMPLETE")
    # `source()` of bash's would run the bash that is first on PATH, to ask for its version.
    click.echo(completer.source_template % completer.source_vars(), nl=False)
