"""`sii demo`: a whole task in a workspace of its own, with or without a server."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from sii_cli.config.settings import Settings
from sii_cli.errors import UsageError
from sii_cli.options.settings import example, load, settings_options

NO_MODEL = """\
No model is running: what the model says in this demo was written beforehand and comes from a
file shipped with sii. Everything else is real: the loop, the Docker sandbox, the tools that run
in it, and the recording. With SII_BASE_URL set, the same task goes to that server.
"""


@click.command(
    "demo",
    help="Work on a task shipped with sii, in a copy of a small workspace. Needs Docker, but "
    "neither a GPU nor a server: unless a server is set, the model's turns come from a file.",
    epilog=example("sii demo", "SII_BASE_URL=http://gpu-box:8000/v1 sii demo"),
)
@settings_options
def command(**flags: Any) -> int:
    """Run the demo."""
    from sii_cli.demo import make_workspace, task
    from sii_cli.demo.written_model import WrittenModel, demo_responses
    from sii_cli.headless.run import run_task

    if flags["workspace"] is not None:
        raise UsageError("The demo has a workspace of its own: leave --workspace out.")
    workspace = Path(tempfile.mkdtemp(prefix="sii-demo-"))
    make_workspace(workspace)
    settings = load({**flags, "workspace": str(workspace)})
    model = None
    if not _names_a_server(settings):
        click.secho(NO_MODEL, bold=True)
        model = WrittenModel(demo_responses())
    click.echo(f"Workspace: {workspace}\n")
    return run_task(settings, task(), "text", mode="demo", model=model)


def _names_a_server(settings: Settings) -> bool:
    return "base_url" in settings.sources
