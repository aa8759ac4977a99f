"""`sii batch FILE`: pins the plan, runs it to its end or to Ctrl-C, and writes the report."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from recordings.errors import RecordingError
from recordings.storage.files import replace_file
from recordings.trust.home_key import HomeKey
from sii_cli.assembly import make_key
from sii_cli.batch.executor import Bench, Executor, LocalExecutor
from sii_cli.batch.gate import Gate
from sii_cli.batch.guards import (
    allow_many_files,
    also_logged,
    interruptible,
    locked,
    refuse_another_model,
)
from sii_cli.batch.outcomes import Outcomes, read_outcomes
from sii_cli.batch.plan import pin
from sii_cli.batch.planning import must_be_new, work_of
from sii_cli.batch.progress import Progress
from sii_cli.batch.report import make_report, to_json
from sii_cli.batch.report_text import report_markdown, sum_of
from sii_cli.batch.runner import Budget, Runner
from sii_cli.batch.runs import Account, Run, read_runs
from sii_cli.batch.served import served_by
from sii_cli.batch.servers import ModelServers
from sii_cli.batch.table import shown, tell
from sii_cli.batch.workspaces import remove_left_over
from sii_cli.config.home_key import writing_key
from sii_cli.config.settings import KEY_HOME, Settings, find_key_home, variable_of
from sii_cli.errors import DONE, INFRASTRUCTURE, INTERRUPTED, LIMIT, SiiError
from sii_cli.queries.queries import Query
from sii_cli.session import watchdog

LOG = "log.txt"
CONCURRENCY = 8
HERE = "auto"
"""`--ray` without an address."""


def run_batch(file: Path | None, options: dict[str, Any]) -> int:
    """Run a batch and return the exit code."""
    work = work_of(file, options)
    folder, settings, plan, queries = work.folder, work.settings, work.plan, work.queries
    with locked(folder):
        if options["resume"] is None:
            must_be_new(folder)  # another may have begun one meanwhile
        if file is not None or options["accept_changes"] or not work.own:
            pin(folder, plan, queries, writing_key())
        options |= _scale(options, read_runs(folder) if work.own else ())
        allow_many_files()
        before = read_outcomes(folder, plan.name, plan.jobs(queries))
        known = {} if options["accept_changes"] else dict(served_by(before.ended.values()))
        bench = Bench(settings, plan, known)
        account = _account(folder, settings, before, options)
        remove_left_over(bench.workspaces, [query.id for query in queries])
        progress = Progress(plan.sessions(queries), before, tell=also_logged(folder / LOG, tell))
        try:
            why = watchdog.run(_run(queries, before, bench, account, progress, options))
            account.run.ended = why
        except (SiiError, RecordingError) as error:
            account.run.ended = str(error)
            raise
        finally:
            account.keep()
        return _finish(folder, bench, queries, account, progress, options)


async def _run(
    queries: Sequence[Query],
    before: Outcomes,
    bench: Bench,
    account: Account,
    progress: Progress,
    options: dict[str, Any],
) -> str:
    jobs = [job for job in bench.plan.jobs(queries) if job.name not in before.ended]
    await refuse_another_model(bench, jobs)
    executor = _executor(bench, options["ray"])
    servers = ModelServers(bench.settings.base_urls, bench.settings.api_key)
    runner = Runner(
        jobs,
        executor,
        gate=Gate(options["concurrency"], servers),
        watcher=progress,
        account=account,
        budget=Budget(options["max_total_tokens"], options["max_hours"], options["max_gpu_hours"]),
        infra_retries=options["infra_retries"],
    )
    try:
        with interruptible(runner, progress.says), shown(progress):
            return await runner.run()
    finally:
        await executor.aclose()
        await servers.aclose()


def _scale(options: dict[str, Any], runs: Sequence[Run]) -> dict[str, int]:
    """Return how many sessions run at once, and on how many GPUs: a batch that goes on does so as
    in its last run, unless it is told otherwise.
    """
    last = runs[-1] if runs else Run(0.0, concurrency=CONCURRENCY)
    return {name: options[name] or getattr(last, name) for name in ("concurrency", "gpus")}


def _account(
    folder: Path, settings: Settings, before: Outcomes, options: dict[str, Any]
) -> Account:
    """Go on with the account of the runs before; servers may have moved, and that is told."""
    runs = read_runs(folder)
    run = Run(time.time(), list(settings.base_urls), options["concurrency"], options["gpus"])
    if runs and runs[-1].servers != run.servers:
        was, are = (", ".join(one.servers) for one in (runs[-1], run))
        click.echo(f"sii: the servers were {was} and are {are}.", err=True)
    return Account(run, folder, runs, before.tokens)


def _executor(bench: Bench, ray: str | None) -> Executor:
    if ray is None:
        return LocalExecutor(bench)
    from sii_cli.batch.ray_executor import RayExecutor

    return RayExecutor(bench, None if ray == HERE else ray)


def _finish(
    folder: Path,
    bench: Bench,
    queries: Sequence[Query],
    account: Account,
    progress: Progress,
    options: dict[str, Any],
) -> int:
    """Write the report, mark what goes to review, and say where things are."""
    plan, why = bench.plan, account.run.ended
    outcomes = read_outcomes(folder, plan.name, plan.jobs(queries))
    runs = (*account.before, account.run)
    report = make_report(plan, queries, outcomes, runs, progress.fallen)
    replace_file(folder, "report.json", json.dumps(to_json(report), indent=2).encode() + b"\n")
    replace_file(folder, "report.md", report_markdown(report).encode())
    if options["keep"]:
        _keep(folder, outcomes, options, make_key(bench.settings))
    ended = ", ".join(f"{row.status} {row.sessions}" for row in report.statuses) or "none"
    click.echo(f"{report.done} of {report.planned} sessions: {ended}; infra {sum_of(report.infra)}")
    click.echo(f"Report: {folder / 'report.md'}")
    home = find_key_home(os.environ)
    if home != find_key_home({**os.environ, variable_of("home"): str(folder)}):
        click.echo(f"Its recordings: {KEY_HOME}={home} SII_HOME={folder} sii list")
    if report.done == report.planned:
        return DONE
    why = why or "sessions failed too often: see Left in the report"
    click.echo(f"sii: stopped ({why}); go on with `sii batch --resume {folder}`.", err=True)
    if why == "interrupted":
        return INTERRUPTED
    return LIMIT if why.startswith("the budget") else INFRASTRUCTURE


def _keep(folder: Path, outcomes: Outcomes, options: dict[str, Any], key: HomeKey | None) -> None:
    from sii_cli.batch.selection import TAG, mark, preference_pairs, select

    selected = select(outcomes, set(options["keep"]), options["per_query"], options["prefer"])
    mark(selected, key)
    pairs = preference_pairs(outcomes)
    lines = "".join(json.dumps(pair) + "\n" for pair in pairs)
    replace_file(folder, "pairs.jsonl", lines.encode())
    click.echo(f"{len(selected)} recordings are tagged {TAG}; {len(pairs)} preference pairs")
