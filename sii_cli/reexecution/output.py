"""`sii replay --execute`: a recording's calls run again, and what they return compared."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sii_cli.errors import DONE, FAILED
from sii_cli.options.recordings import warn
from sii_cli.options.settings import load_for_recordings

if TYPE_CHECKING:
    from sii_cli.reexecution.engine import Reexecution
    from sii_cli.reexecution.recorded import Recorded
    from sii_cli.reexecution.report import CallReport, ReexecutionReport
    from sii_cli.reexecution.workspace_files import FilesReport

_LABEL = 60
_FILES = 10
"""Files that are named."""
_DIFF_LINES = 40
"""Lines of a diff that are printed; `--json` has them all."""

_WORDS = {
    "identical": "identical",
    "equal": "equal after",
    "different": "DIFFERENT",
    "answered": "answered",
    "not_compared": "not compared",
    "not_run": "not run",
}


def execute(
    folder: Path,
    *,
    until: int | None,
    by_step: bool,
    as_json: bool,
    workspace: Path | None,
    rules: tuple[Path, ...],
    image: str | None,
) -> int:
    """Run a recording's calls again, print what comes of each, and return the exit code."""
    from recordings.storage.log import read_events
    from recordings.store.collection import home_of
    from sii_cli.config.home_key import origin_here
    from sii_cli.reexecution.prepare import differences, prepare, start_workspace
    from sii_cli.reexecution.recorded import recorded_calls, recorded_environment
    from sii_cli.reexecution.rules import load_rules
    from sii_cli.session import watchdog

    loaded = load_rules(rules)
    environment = recorded_environment(folder)
    settings = load_for_recordings()
    is_own = origin_here(folder) != "foreign"
    with start_workspace(folder, environment, workspace, home_of(folder)) as copy:
        for difference in differences(environment, settings, is_own=is_own):
            warn(difference)
        again = prepare(folder, environment, settings, copy, loaded, image, is_own=is_own)
        recorded = recorded_calls(read_events(folder), until)
        report = watchdog.run(_run(again, recorded, by_step=by_step, as_json=as_json))
    _print_end(report, as_json=as_json)
    return DONE if report.reproducible else FAILED


async def _run(
    again: Reexecution, recorded: Iterable[Recorded], *, by_step: bool, as_json: bool
) -> ReexecutionReport:
    from sii_cli.reexecution.report import CallReport, ReexecutionReport

    report = ReexecutionReport()
    async with aclosing(again.run(recorded, _ask if by_step else None)) as calls:
        async for found in calls:
            if isinstance(found, CallReport):
                report.add(found)
                _print_call(found, as_json=as_json)
            else:
                report.add_files(found)
                _print_files(found, as_json=as_json)
    return report


async def _ask(labels: list[str]) -> None:
    """Say what runs next, and wait for Enter."""
    from sii_cli.text.sanitise import one_line

    for label in labels:
        click.echo(f"next: {one_line(label, 200)}", err=True)
    if sys.stdin.isatty():
        click.echo("— Enter to run —", nl=False, err=True)
        await asyncio.to_thread(sys.stdin.readline)


def _print_call(call: CallReport, *, as_json: bool) -> None:
    from sii_cli.reexecution.report import call_dict
    from sii_cli.text.sanitise import one_line, sanitise

    if as_json:
        _print_json({"type": "call", **call_dict(call)})
        return
    where = f"step {call.step:<3} {call.seq:>5}"
    label = one_line(call.label, _LABEL)
    outcome = _WORDS[call.outcome]
    more = {"equal": ", ".join(call.rules), "different": ", ".join(call.differs)}
    said = one_line(more.get(call.outcome, call.why), 200)
    line = f"{where}  {label:<{_LABEL}}  {outcome}{' ' + said if said else ''}"
    click.secho(line, fg="red" if call.outcome == "different" else None)
    lines = sanitise(call.diff).rstrip("\n").split("\n") if call.diff else []
    for shown in lines[:_DIFF_LINES]:
        click.echo(f"    {shown}")
    if len(lines) > _DIFF_LINES:
        click.echo(f"    … +{len(lines) - _DIFF_LINES} lines (--json has more of it)")


def _print_files(files: FilesReport, *, as_json: bool) -> None:
    from sii_cli.text.sanitise import one_line

    if as_json:
        _print_json({"type": "files", **asdict(files)})
    elif files.differs:
        shown = ", ".join(files.differs[:_FILES])
        more = f" and {len(files.differs) - _FILES} more" if len(files.differs) > _FILES else ""
        where = f"after step {files.step}" if files.step else "at the start"
        click.secho(f"files {where}  DIFFERENT: {one_line(shown, 1000)}{more}", fg="red")


def _print_end(report: ReexecutionReport, *, as_json: bool) -> None:
    if as_json:
        _print_json({"type": "report", **report.as_dict()})
        return
    counts = report.counts
    parts = [f"{counts[name]} {word}" for name, word in _SUMMED if counts[name]]
    if report.rules:
        used = ", ".join(f"{name} {count}" for name, count in report.rules.most_common())
        parts.append(f"rules needed: {used}")
    click.echo("; ".join(parts) or "The recording holds no calls.")
    if report.steps_with_files:
        same = report.steps_with_files - len(report.files_differ)
        click.echo(f"The files were the same after {same} of {report.steps_with_files} steps.")
    if report.score is None:
        click.echo("Nothing was compared.")
        return
    click.echo(
        f"Reproduced {report.reproduced} of {report.compared} observations: {report.score:.1%}"
    )
    if report.first_difference:
        first = report.first_difference
        click.echo(
            f"The first difference is at step {first.step} (event {first.seq}); later ones may "
            "only follow from it."
        )


_SUMMED: tuple[tuple[Any, str], ...] = (
    ("identical", "identical"),
    ("equal", "equal after rules"),
    ("different", "different"),
    ("answered", "answered from the recording"),
    ("not_compared", "not compared"),
    ("not_run", "not run"),
)


def _print_json(value: dict[str, Any]) -> None:
    from recordings.storage.encoding import encode

    click.echo(encode(value).decode())
