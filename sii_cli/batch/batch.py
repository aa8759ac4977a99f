"""Runs a batch: what was recorded before, the attempts that are left, the report."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path
from shlex import quote

import click

from recordings.errors import RecordingError
from recordings.store.collection import BATCHES
from sii_cli.assembly import make_key
from sii_cli.batch.attempts import kept_workspaces, read_attempts
from sii_cli.batch.options import BatchOptions
from sii_cli.batch.plan.opening import Batch, open_batch
from sii_cli.batch.plan.pinned import check_is_new, pin
from sii_cli.batch.report.report import BatchReport, make_report, sum_of
from sii_cli.batch.report.selection import keep_best, keep_continuations
from sii_cli.batch.report.write import write_report
from sii_cli.batch.running.admission import Admission
from sii_cli.batch.running.interrupts import interruptible
from sii_cli.batch.running.lock import locked
from sii_cli.batch.running.log import logged
from sii_cli.batch.running.progress import Progress
from sii_cli.batch.running.runner import Runner
from sii_cli.batch.running.servers import ModelServers
from sii_cli.batch.running.stop import Stop, StopReason
from sii_cli.batch.running.table import print_line, shown
from sii_cli.batch.runs import Account, Run, read_runs
from sii_cli.batch.sessions.choose_executor import make_executor
from sii_cli.batch.sessions.same_model import refuse_another_model
from sii_cli.batch.sessions.served_model import models_of
from sii_cli.batch.sessions.session_parts import SessionParts
from sii_cli.config.home_key import writing_key
from sii_cli.config.homes import home_words
from sii_cli.config.settings import find_home
from sii_cli.errors import DONE, INFRASTRUCTURE, INTERRUPTED, LIMIT, WAITING, SiiError
from sii_cli.queries.validate import ValidatedFile
from sii_cli.queries.workspaces.copies import leftover_copies, remove_leftover_copies
from sii_cli.render.figures import counted
from sii_cli.session import watchdog
from sii_cli.session.pins import departure_sentence, departures_of_all
from sii_cli.text.sanitise import one_line
from tools.web.search_providers.registry import SEARCH_PROVIDERS

CONCURRENCY = 8
_LONGEST = 300
"""Characters that are shown of a word that the batch's folder holds."""
TOO_MANY_FAILURES = Stop(
    "failure", 'sessions failed too often: see "Unfinished attempts" in the report'
)
EXIT_CODES: dict[StopReason, int] = {
    "interrupted": INTERRUPTED,
    "budget": LIMIT,
    "failure": INFRASTRUCTURE,
}


def run_batch(options: BatchOptions, file: ValidatedFile | None) -> int:
    """Run the batch that a command line means; return the exit code.

    Raises `UsageError`, also for what the batch requires and the user does not grant, and
    `RecordingFailed`.
    """
    batch = open_batch(options, file)
    if departs := departures_of_all(batch.settings):
        click.echo(f"sii: {departure_sentence(departs)}", err=True)
    _tell_refused_search(batch)
    with locked(batch.folder):
        run = _BatchRun(batch)
        run.run()
        return run.finish()


class _BatchRun:
    """One run of a batch. The caller holds the batch's lock."""

    def __init__(self, batch: Batch) -> None:
        """Pin the plan, and read what earlier runs left."""
        folder, plan, options = batch.folder, batch.plan, batch.options
        if options.resume is None:
            check_is_new(folder)  # another process may have begun one meanwhile
        if batch.is_changed:
            pin(folder, plan, batch.queries, writing_key())
        self._batch = batch
        self._query_ids = [one.id for one in batch.queries]
        self._planned = list(plan.all_attempts(batch.queries))
        self._recorded = read_attempts(
            folder, plan.name, self._planned, plan.changed, parks=plan.feedback is not None
        )
        ended = self._recorded.ended.values()
        served = {} if options.accept_changes else dict(models_of(ended))
        self._parts = SessionParts(batch.settings, plan, served)
        self._account = _account(batch, self._recorded.tokens)
        self._stop: Stop | None = None
        self._progress = Progress(
            len(self._planned), self._recorded, notify=logged(folder, print_line)
        )

    def run(self) -> None:
        """Run the attempts that are left, until they have ended or the batch was stopped."""
        _allow_many_files()
        self._remove_leftovers()
        run = self._account.run
        try:
            self._stop = watchdog.run(self._run())
            run.ended = self._stop.why if self._stop else ""
        except (SiiError, RecordingError) as error:
            run.ended = str(error)
            raise
        finally:
            self._account.keep()

    def _remove_leftovers(self) -> None:
        """Remove the copies of workspaces that earlier runs left. Blocks."""
        if left := self._leftovers():
            click.echo(f"sii: removing what earlier runs left: {_copies(left)}.", err=True)
            kept = kept_workspaces(self._recorded)
            remove_leftover_copies(self._parts.workspaces, self._query_ids, kept)

    def _leftovers(self) -> list[Path]:
        kept = kept_workspaces(self._recorded)
        found = leftover_copies(self._parts.workspaces, self._query_ids)
        return [folder for folder in found if folder.name not in kept]

    async def _run(self) -> Stop | None:
        """Return why the run was stopped; None when nothing is left to run."""
        options, settings = self._batch.options, self._batch.settings
        recorded = self._recorded
        begun = recorded.ended.keys() | recorded.waiting.keys()
        left = [one for one in self._planned if one.name not in begun]
        await refuse_another_model(self._parts, left)
        executor = make_executor(self._parts, options.ray)
        servers = ModelServers(settings.base_urls, settings.api_key)
        runner = Runner(
            left,
            executor,
            admission=Admission(self._account.run.concurrency, servers),
            listener=self._progress,
            account=self._account,
            budget=options.budget,
            infra_retries=options.infra_retries,
        )
        try:
            with interruptible(runner, self._progress.notify), shown(self._progress):
                return await runner.run()
        finally:
            await executor.aclose()
            await servers.aclose()

    def finish(self) -> int:
        """Write the report, tag what goes to review, say where things are."""
        batch, account = self._batch, self._account
        folder, selection = batch.folder, batch.options.selection
        self._recorded.update()
        runs = (*account.before, account.run)
        report = make_report(
            batch.plan, batch.queries, self._recorded, runs, self._progress.last_failures
        )
        write_report(folder, report)
        if batch.plan.sent_back:
            click.echo(keep_continuations(folder, self._recorded, make_key(batch.settings)))
        if selection.outcomes:
            click.echo(keep_best(folder, self._recorded, selection, make_key(batch.settings)))
        _print_end(batch, report)
        resume = f"sii batch --resume {quote(str(folder))}{home_words()}"
        if left := self._leftovers():
            remedy = f"`{resume}` removes it"
            click.echo(f"sii: left: {_copies(left)}; {remedy}.", err=True)
        if report.done + report.waiting == report.planned:
            return WAITING if report.waiting else DONE
        stop = self._stop or TOO_MANY_FAILURES
        click.echo(f"sii: stopped ({stop.why}); resume with `{resume}`.", err=True)
        return EXIT_CODES[stop.reason]


def _tell_refused_search(batch: Batch) -> None:
    """Report before the first session that searches are refused, if a query may search.

    Once: not again when the batch is resumed.
    """
    own = batch.settings
    refusal = SEARCH_PROVIDERS[own.search_provider].not_in_batches
    may_search = "web_search" in own.tools and any(
        "web_search" in (query.tools or own.tools) for query in batch.queries
    )
    if refusal and may_search and batch.options.resume is None:
        click.echo(f"sii: web_search is refused: {refusal}", err=True)


def _copies(left: list[Path]) -> str:
    return counted(len(left), "copy of a workspace", "copies of workspaces")


def _account(batch: Batch, tokens: int) -> Account:
    """Continue the account of earlier runs.

    An own batch is resumed with the scale of its last run, unless other options are given.
    """
    options, before = batch.options, read_runs(batch.folder)
    last = before[-1] if before and batch.own else Run(0.0, concurrency=CONCURRENCY)
    run = Run(
        time.time(),
        list(batch.settings.base_urls),
        options.concurrency or last.concurrency,
        options.gpus or last.gpus,
    )
    if before and before[-1].servers != run.servers:
        was, are = (one_line(", ".join(one.servers), _LONGEST) for one in (before[-1], run))
        click.echo(f"sii: the servers were {was} and are {are}.", err=True)
    return Account(run, batch.folder, before, tokens)


def _print_end(batch: Batch, report: BatchReport) -> None:
    statuses = (f"{one_line(row.status, _LONGEST)} {row.sessions}" for row in report.statuses)
    ended = ", ".join(statuses) or "none"
    click.echo(f"{report.done} of {report.planned} sessions: {ended}; infra {sum_of(report.infra)}")
    click.echo(f"Report: {batch.folder / 'report.md'}")
    in_home = batch.folder.parent == find_home(os.environ) / BATCHES
    which = (
        f"--batch {quote(batch.folder.name)}{home_words()}"
        if in_home
        else f"--home {quote(str(batch.folder))}"
    )
    click.echo(f"Its recordings: sii list {which}")
    if report.waiting:
        waits = counted(report.waiting, "session waits", "sessions wait")
        click.echo(f"{waits} for a reply: sii inbox{home_words() if in_home else f' {which}'}")


def _allow_many_files() -> None:
    """Raise the limit of open files: each session holds a few files and connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
