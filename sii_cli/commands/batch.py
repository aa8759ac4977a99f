"""`sii batch`: many sessions from a query file; `sii batch status` looks at one that runs."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recordings.outcomes import KEEPABLE
from sii_cli.batch.options import PREFERENCES, BatchOptions
from sii_cli.errors import USAGE, UsageError
from sii_cli.options.homes import home_option
from sii_cli.options.outcomes import OutcomeChoice
from sii_cli.options.settings import example, settings_options

if TYPE_CHECKING:
    from sii_cli.queries.validate import ValidatedFile


class BatchGroup(click.Group):
    """A group that runs a query file when no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `run` in front unless a command is named."""
        if not args or args[0] not in self.commands:
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group("batch", cls=BatchGroup, add_help_option=False)
def command() -> None:
    """Run many sessions from a query file."""


@command.command(
    "run",
    help="Run the sessions of a query FILE (JSONL, YAML, CSV, or a query a line), many at once. "
    "Ctrl-C once finishes what runs, twice stops now; `--resume DIR` continues a batch, and "
    "`sii batch status DIR` shows one from another terminal.",
    epilog=example(
        "sii batch --validate queries.jsonl",
        "sii batch queries.jsonl -n 4 --concurrency 32 --out runs/monday",
        "sii batch --resume runs/monday --keep solved --per-query 1",
        "sii batch --sent-back -n 4 --out runs/again",
        "sii batch status runs/monday",
    ),
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("-n", "attempts", type=click.IntRange(1), help="Sessions of each query; default 1.")
@click.option("--concurrency", type=click.IntRange(1), help="Sessions at once; default 8.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the batch.")
@click.option("--resume", type=click.Path(path_type=Path), help="Resume the batch in DIR.")
@click.option(
    "--sent-back",
    is_flag=True,
    help="Instead of FILE: continue the sessions that reviewers sent back from a step, -n times "
    "each, with their words; the best of each goes to review.",
)
@click.option(
    "--accept-changes",
    is_flag=True,
    help="Resume although queries or settings changed; sessions whose check could not run are run "
    "again.",
)
@click.option(
    "--vary",
    multiple=True,
    metavar="NAME=A,B",
    help="Run every query with each of these values of a setting.",
)
@click.option(
    "--feedback-rounds",
    type=click.IntRange(0),
    help="Rounds that may follow a failed check; default 0.",
)
@click.option(
    "--simulate-user", "simulated_user", metavar="MODEL", help="Let a model play the user in them."
)
@click.option(
    "--feedback",
    type=click.Choice(["human"]),
    help="Park each session at its answer, for a person's reply: `sii inbox`.",
)
@click.option("--infra-retries", type=click.IntRange(0), default=3, help="Of one session.")
@click.option("--max-total-tokens", type=click.IntRange(1), help="Budget: tokens generated.")
@click.option("--max-hours", type=click.FloatRange(0, min_open=True), help="Budget: hours.")
@click.option("--max-gpu-hours", type=click.FloatRange(0, min_open=True), help="Budget: GPU-hours.")
@click.option("--gpus", type=click.IntRange(1), help="GPUs that the servers use; default 1.")
@click.option(
    "--ray",
    is_flag=False,
    flag_value="auto",
    metavar="[ADDRESS]",
    help="Run on the Ray cluster at ADDRESS, or on one that is found or started here.",
)
@click.option("--keep", multiple=True, type=OutcomeChoice(KEEPABLE), help="Send to review.")
@click.option("--per-query", type=click.IntRange(1), default=1, help="With --keep: the best N.")
@click.option(
    "--prefer",
    type=click.Choice(PREFERENCES),
    default="shortest",
    help="Which are the best; default shortest.",
)
@click.option(
    "--allow",
    multiple=True,
    metavar="KINDS",
    help="Allow what FILE or DIR asks for, by commas: net, git, image, env, data, paths, "
    "mounts, settings.",
)
@click.option("--validate", is_flag=True, help="Find every mistake in FILE; start nothing.")
@click.option("--schema", is_flag=True, help="Print the JSON schema of a query.")
@settings_options
@home_option
def run(file: Path | None, validate: bool, schema: bool, sent_back: bool, **given: Any) -> int:
    """Run, validate, or print the schema."""
    if schema:
        from sii_cli.queries.queries import query_schema

        click.echo(json.dumps(query_schema(), indent=2))
        return 0
    if sent_back and (file is not None or given["resume"] is not None):
        raise UsageError("--sent-back is instead of FILE and of --resume: leave those away.")
    if file is None and given["resume"] is None and not sent_back:
        raise UsageError("There is no query file: say `sii batch FILE`, or `--resume DIR`.")
    queries = None if file is None else _read_queries(file, quiet=not validate)
    if queries is not None and queries.mistakes:
        return USAGE
    options = BatchOptions.from_command(given)
    if sent_back:
        from sii_cli.batch.plan.sent_back import find_sent_back

        found = find_sent_back()
        queries, options = found.file, replace(options, sent_back=found.steps)
    if validate:
        assert queries is not None
        _list_requirements(queries, options)
        return 0
    from sii_cli.batch.batch import run_batch

    return run_batch(options, queries)


@command.command("status", help="Show how a batch stands, also one that runs elsewhere.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The whole report as JSON.")
def status(folder: Path, as_json: bool) -> None:
    """Print the report of a batch as it stands."""
    from dataclasses import asdict

    from sii_cli.batch.attempts import read_attempts
    from sii_cli.batch.plan.pinned import load_pinned
    from sii_cli.batch.report.markdown import status_text
    from sii_cli.batch.report.report import make_report
    from sii_cli.batch.running.lock import is_running
    from sii_cli.batch.runs import KILLED, RUNNING, read_runs
    from sii_cli.text.sanitise import sanitise

    plan, queries, _ = load_pinned(folder)
    running = is_running(folder)  # before the runs are read: a run that ends meanwhile says so
    planned = plan.all_attempts(queries)
    parks = plan.feedback is not None
    attempts = read_attempts(folder, plan.name, planned, plan.changed, parks=parks)
    runs = read_runs(folder)
    if running and runs and runs[-1].ended == KILLED:
        runs[-1].ended = RUNNING
    report = make_report(plan, queries, attempts, runs)
    text = json.dumps(asdict(report)) if as_json else sanitise(status_text(report, attempts))
    click.echo(text)


def _read_queries(file: Path, *, quiet: bool) -> ValidatedFile:
    """Read a query file and print every mistake in it."""
    from sii_cli.queries.query_files import is_plain
    from sii_cli.queries.validate import validate
    from sii_cli.render.figures import counted
    from sii_cli.text.sanitise import sanitise

    read = validate(file)
    for mistake in read.mistakes:
        click.echo(sanitise(f"{file}:{mistake.line}: {mistake.text}"), err=True)
    if read.mistakes:
        mistakes = counted(len(read.mistakes), "mistake", "mistakes")
        click.echo(f"sii: {mistakes} in {file}: nothing is run.", err=True)
    elif not quiet:
        queries = counted(len(read.queries), "query", "queries")
        form = ", one a line" if is_plain(file) else ""
        click.echo(f"{file}: {queries}{form}, no mistake.", file=sys.stdout)
    return read


def _list_requirements(file: ValidatedFile, options: BatchOptions) -> None:
    """Print what a query file requires beyond the user's own settings."""
    from sii_cli.batch.plan.opening import query_requirements
    from sii_cli.trust.requirements import kinds_of, lines_of

    if required := query_requirements(file, options.flags):
        kinds = ",".join(kinds_of(required))
        click.echo(f"It asks for what only you may allow, with --allow {kinds}:")
        for line in lines_of(required):
            click.echo(line)
