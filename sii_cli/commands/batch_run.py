"""`sii batch FILE`: pins the plan, runs it to its end or to Ctrl-C, and writes the report."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import resource
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from sii_cli.batch.executor import Bench, Executor, LocalExecutor
from sii_cli.batch.gate import Gate
from sii_cli.batch.outcomes import Outcomes, read_outcomes
from sii_cli.batch.plan import (
    Plan,
    differences,
    is_batch,
    load_plan,
    pin,
    pinned_settings,
    sha256_of,
)
from sii_cli.batch.progress import Progress
from sii_cli.batch.queries import Query
from sii_cli.batch.query_files import read_query_file
from sii_cli.batch.report import make_report, to_json
from sii_cli.batch.report_text import report_markdown, sum_of
from sii_cli.batch.runner import Budget, Runner
from sii_cli.batch.servers import ModelServers
from sii_cli.batch.vary import parse_vary
from sii_cli.commands.options import load
from sii_cli.config import SETTING_NAMES, Settings, find_home
from sii_cli.config_sources import PLACES
from sii_cli.errors import DONE, INFRASTRUCTURE, INTERRUPTED, LIMIT, UsageError
from sii_cli.render.batch_table import shown, tell

LOCK = "lock"
HERE = "auto"
"""`--ray` without an address."""


def run_batch(file: Path | None, options: dict[str, Any]) -> int:
    """Run a batch and return the exit code."""
    folder = _folder(file, options)
    settings = _settings(options, folder)
    plan, queries = _plan(file, folder, settings, options)
    with _locked(folder):
        if options["resume"] is None or file is not None or options["accept_changes"]:
            pin(folder, plan, queries)
        _allow_many_files()
        outcomes = read_outcomes(folder, plan.name)
        why = asyncio.run(_run(plan, queries, outcomes, Bench(settings, plan), options))
        return _finish(folder, plan, queries, why, options)


async def _run(
    plan: Plan, queries: Sequence[Query], before: Outcomes, bench: Bench, options: dict[str, Any]
) -> str:
    jobs = list(plan.jobs(queries))
    progress = Progress(len(jobs), before, tell=tell)
    executor = _executor(bench, options["ray"])
    servers = ModelServers(bench.settings.base_urls, bench.settings.api_key)
    runner = Runner(
        (job for job in jobs if job.name not in before.ended),
        executor,
        gate=Gate(options["concurrency"], servers),
        watcher=progress,
        budget=Budget(
            options["max_total_tokens"],
            options["max_hours"],
            options["max_gpu_hours"],
            options["gpus"],
        ),
        infra_retries=options["infra_retries"],
    )
    try:
        with _interruptible(runner), shown(progress):
            return await runner.run()
    finally:
        await executor.aclose()
        await servers.aclose()


def _executor(bench: Bench, ray: str | None) -> Executor:
    if ray is None:
        return LocalExecutor(bench)
    from sii_cli.batch.ray_executor import RayExecutor

    return RayExecutor(bench, None if ray == HERE else ray)


def _finish(
    folder: Path, plan: Plan, queries: Sequence[Query], why: str, options: dict[str, Any]
) -> int:
    """Write the report, mark what goes to review, and say where things are."""
    outcomes = read_outcomes(folder, plan.name)
    report = make_report(plan, queries, outcomes)
    (folder / "report.json").write_text(json.dumps(to_json(report), indent=2) + "\n", "utf-8")
    (folder / "report.md").write_text(report_markdown(report), "utf-8")
    if options["keep"]:
        _keep(folder, outcomes, options)
    ended = ", ".join(f"{row.status} {row.sessions}" for row in report.statuses) or "none"
    click.echo(f"{report.done} of {report.planned} sessions: {ended}; infra {sum_of(report.infra)}")
    click.echo(f"Report: {folder / 'report.md'}")
    if report.done == report.planned:
        return DONE
    click.echo(f"sii: stopped ({why}); go on with `sii batch --resume {folder}`.", err=True)
    if why == "interrupted":
        return INTERRUPTED
    return LIMIT if why.startswith("the budget") else INFRASTRUCTURE


def _keep(folder: Path, outcomes: Outcomes, options: dict[str, Any]) -> None:
    from sii_cli.batch.selection import TAG, mark, preference_pairs, select

    selected = select(outcomes, set(options["keep"]), options["per_query"], options["prefer"])
    mark(selected)
    pairs = preference_pairs(outcomes)
    lines = "".join(json.dumps(pair) + "\n" for pair in pairs)
    (folder / "pairs.jsonl").write_text(lines, "utf-8")
    click.echo(f"{len(selected)} recordings are tagged {TAG}; {len(pairs)} preference pairs")


def _folder(file: Path | None, options: dict[str, Any]) -> Path:
    resumed: Path | None = options["resume"]
    if resumed is not None:
        if not is_batch(resumed):
            raise UsageError(f"{resumed} is no batch's folder: begin one with `sii batch FILE`.")
        return resumed.absolute()
    out: Path | None = options["out"]
    if out is None:
        assert file is not None
        stamp = time.strftime("%Y%m%d-%H%M%S")
        out = find_home(os.environ) / "batches" / f"{file.stem}-{stamp}"
    if is_batch(out):
        raise UsageError(f"{out} holds a batch: go on with `sii batch --resume {out}`.")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is not a directory: name another with --out DIR.")
    return out.absolute()


def _settings(options: dict[str, Any], folder: Path) -> Settings:
    """Return the settings of all sessions: of a batch that goes on those pinned, unless a flag is
    given. What each session works in is its query's business.
    """
    flags = {name: options.get(name) for name in SETTING_NAMES}
    if options["resume"] is not None:
        pinned = load_plan(folder)[0].settings
        flags |= {
            name: value
            for name, value in pinned.items()
            if "flag" in PLACES[name] and flags.get(name) is None
        }
    with tempfile.TemporaryDirectory() as nowhere:
        settings = load({**flags, "workspace": nowhere})
    return replace(settings, home=folder, workspace=folder)


def _plan(
    file: Path | None, folder: Path, settings: Settings, options: dict[str, Any]
) -> tuple[Plan, Sequence[Query]]:
    """Return what is to be run; a batch that goes on must be what was pinned."""
    pinned = load_plan(folder) if options["resume"] is not None else None
    queries: Sequence[Query] = read_query_file(file).queries if file else ()
    if pinned is not None and file is None:
        queries = pinned[1]
    before = pinned[0] if pinned else None
    plan = Plan(
        name=before.name if before else folder.name,
        query_file=str(file.absolute()) if file else before.query_file if before else "",
        query_folder=str(file.absolute().parent) if file else before.query_folder if before else "",
        queries_sha256=sha256_of(queries),
        attempts=options["attempts"] or (before.attempts if before else 1),
        vary=parse_vary(options["vary"]) or (before.vary if before else {}),
        feedback_rounds=_or_before(options["feedback_rounds"], before, "feedback_rounds", 0),
        simulated_user=_or_before(options["simulate_user"], before, "simulated_user", None),
        settings=pinned_settings(settings),
    )
    changed = differences(before, plan) if before else []
    if changed and not options["accept_changes"]:
        raise UsageError(
            f"The batch in {folder} was begun otherwise: {'; '.join(changed)}. Run it as it was, "
            "or say --accept-changes."
        )
    return plan, queries


def _or_before(value: Any, before: Plan | None, name: str, default: Any) -> Any:
    if value is not None:
        return value
    return getattr(before, name) if before else default


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep a second runner away from the batch."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"The batch in {folder} is running: `sii batch status {folder}` shows how it "
                "stands."
            ) from None
        yield


@contextlib.contextmanager
def _interruptible(runner: Runner) -> Iterator[None]:
    """Ctrl-C once: finish what runs; twice: now."""
    loop = asyncio.get_running_loop()
    asked = False

    def stop() -> None:
        nonlocal asked
        if asked:
            runner.abort()
        else:
            click.echo("sii: finishing what runs; Ctrl-C again stops it now.", err=True)
        asked = True
        runner.finish("interrupted")

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _allow_many_files() -> None:
    """Each session holds a few files and connections open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
