"""The report of a batch as Markdown, and its status in a few lines."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta

from recordings.markdown import escape_markdown
from sii_cli.batch.attempts import Attempts
from sii_cli.batch.report.report import BatchReport, Cause, QueryRow, StatusRow, sum_of
from sii_cli.batch.runs import Run
from sii_cli.render.figures import counted
from sii_cli.text.sanitise import one_line, sanitise

CELL = 160


def report_markdown(report: BatchReport) -> str:
    """Return the report as a Markdown document."""
    parts = [
        f"# Batch {_cell(report.name)}",
        _summary(report),
        "## Yield",
        _yield(report.statuses),
        "Tokens are those that the model wrote; times are from a session's first event to its last "
        "(hours:minutes:seconds).",
    ]
    if report.rates:
        parts += [
            "## How often a query is solved",
            _table(
                ("k", "pass@k", "pass^k"),
                ((rate.k, _share(rate.pass_at), _share(rate.pass_all)) for rate in report.rates),
            ),
            "\n".join(f"- {name}: {formula}." for name, formula in report.formulas.items())
            + "\n- n: a query's sessions that came to an outcome; c: those whose check passed. "
            "Queries without a check are left out.",
        ]
    parts += ["## What went wrong", _causes(report.causes, report)]
    if report.check_errors:
        parts += [
            "## Checks that could not run (in no rate)",
            _causes(report.check_errors, report),
        ]
    if report.infra:
        parts += ["## Infrastructure (not counted)", _causes(report.infra, report)]
    if report.left:
        parts += [
            "## Unfinished attempts",
            _table(
                ("reason", "sessions", "for example"),
                ((left.reason, left.sessions, left.example) for left in report.left),
            ),
        ]
    parts += ["## Runs", _runs(report.runs), "## By query", _by_query(report.by_query)]
    return "\n\n".join(parts) + "\n"


def _summary(report: BatchReport) -> str:
    """Return the first paragraph: how much is done, by which model, at what cost."""
    left = report.planned - report.done - report.waiting
    seconds = sum(run.seconds for run in report.runs)
    gpu_seconds = sum(run.gpu_seconds for run in report.runs)
    words = [
        f"{report.done} of {report.planned} sessions came to an outcome ({report.queries} queries"
        + (f"; {left} are left: `sii batch --resume` continues" if left else "")
        + f"). {report.stopped} were stopped half-way and {sum_of(report.infra)} ended by the "
        "infrastructure; those are run again and counted nowhere below."
    ]
    if report.waiting:
        words.append(f"{_waiting(report)} for a person's reply: `sii inbox`.")
    if report.set_aside:
        words.append(
            f"{report.set_aside} recordings are of queries, variants or checks that the batch no "
            "longer has; they are not counted either."
        )
    words.append(f"Answered by {' and '.join(map(_cell, report.served)) or 'nobody yet'}.")
    words.append(
        f"It took {_time(seconds)}, {gpu_seconds / 3600:.2f} GPU-hours and {report.tokens} "
        "generated tokens, those of sessions that do not count included."
    )
    return " ".join(words)


def _waiting(report: BatchReport) -> str:
    return counted(report.waiting, "session waits", "sessions wait")


def _yield(rows: Iterable[StatusRow]) -> str:
    return _table(
        ("outcome", "sessions", "share", "tokens", "a session", "time", "a session"),
        (
            (
                row.status,
                row.sessions,
                f"{row.share:.1%}",
                row.tokens,
                f"{row.tokens / row.sessions:.0f}",
                _time(row.seconds),
                _time(row.seconds / row.sessions),
            )
            for row in rows
        ),
    )


def _by_query(rows: Iterable[QueryRow]) -> str:
    return _table(
        ("query", "sessions", "solved", "how they ended", "mean tokens", "recordings"),
        (
            (
                row.query,
                row.sessions,
                row.solved,
                ", ".join(f"{status} {count}" for status, count in row.statuses.items()),
                f"{row.mean_tokens:.0f}",
                ", ".join(row.recordings),
            )
            for row in rows
        ),
    )


def _runs(runs: Iterable[Run]) -> str:
    return _table(
        ("began", "took", "GPU-hours", "GPUs", "sessions at once", "servers", "ended"),
        (
            (
                time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.began)),
                _time(run.seconds),
                f"{run.gpu_seconds / 3600:.2f}",
                run.gpus,
                run.concurrency,
                ", ".join(run.servers),
                run.ended or "everything was done",
            )
            for run in runs
        ),
    )


def status_text(report: BatchReport, attempts: Attempts) -> str:
    """Return how a batch stands, in a few lines."""
    ended = ", ".join(f"{one_line(row.status, CELL)} {row.sessions}" for row in report.statuses)
    lines = [
        f"{one_line(report.name, CELL)}: {report.done} of {report.planned} sessions came to an "
        f"outcome ({ended or 'none'})",
        f"running {len(attempts.running)}, infra {sum_of(report.infra)}, "
        f"stopped half-way {report.stopped}",
    ]
    if report.waiting:
        lines.append(f"{_waiting(report)} for a reply: sii inbox")
    if report.runs:
        spent = sum(run.seconds for run in report.runs)
        runs = counted(len(report.runs), "run", "runs")
        lines.append(f"{_time(spent)} in {runs}, {report.tokens} tokens generated")
    for cause in (*report.causes, *report.check_errors, *report.infra):
        reason = f": {one_line(cause.reason, CELL)}" if cause.reason else ""
        lines.append(f"{cause.sessions} {one_line(cause.status, CELL)}{reason}")
        lines += [f"  | {one_line(said, CELL)}" for said in cause.said]
        lines.append(f"  {look_at(cause, report)}")
    return "\n".join(lines)


def look_at(cause: Cause, report: BatchReport) -> str:
    """Return the command that shows a session of a cause, from any directory."""
    return f"sii show {cause.example} --home {shlex.quote(report.folder)}"


def _causes(causes: Sequence[Cause], report: BatchReport) -> str:
    """Return a table, and under it a command for each of its rows."""
    if not causes:
        return "Nothing."
    rows = _table(
        ("sessions", "outcome", "reason", "what its check said last", "for example"),
        (
            (cause.sessions, cause.status, cause.reason, " / ".join(cause.said), cause.example)
            for cause in causes
        ),
    )
    commands = "\n".join(look_at(cause, report) for cause in causes)
    return f"{rows}\n\n```console\n{sanitise(commands)}\n```"


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *([_cell(one) for one in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    """Return a cell without markup: some hold the words of models and servers."""
    return escape_markdown(one_line(str(value), CELL))


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
