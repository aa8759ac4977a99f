"""How a command, Python code or a job ended, as text for the model."""

from __future__ import annotations

import re
import signal
from dataclasses import replace

from sandbox.protocol import CommandResult, Job, JobOutput, LimitName
from tools.base import TOOL_INFRA, ToolResult
from tools.output import shape, show_line

_LIMITS: dict[LimitName, str] = {
    "memory": "the memory limit was reached and a process was killed",
    "disk": "the disk limit was reached (what is written outside the workspace counts too) and "
    "everything that ran was ended: make room before you go on",
    "machine_disk": "the machine's disk is nearly full and everything that ran was ended: make "
    "room before you go on",
    "tmp": "/tmp is full",
    "file_size": "the limit on the size of one file was reached",
    "pids": "the limit on processes was reached: some could not be started",
    "open_files": "the limit on open files was reached",
}
"""Limits as text; the time limit is reported as the end, that of output where some is missing."""
_WANTS_INPUT = re.compile(
    rb"EOF when reading|raise EOFError|Inappropriate ioctl for device|not a (?i:terminal|tty)"
    rb"|/dev/tty|failed tty get|terminal is required|terminal prompts disabled"
    rb"|problem with the editor|unable to get passphrase|\[[Yy](?:es)?/[Nn]o?\]",
)
_END_SEARCHED = 1_000
"""Bytes of a failed command's output that are looked at for what it wanted."""
_NO_INPUT = (
    "[it seems to have wanted input or a terminal, and there is none: give it what it asks for by "
    "flags, a file or a pipe]"
)
_COMMAND = 100
"""Bytes of a job's command that its state quotes."""


def command_result(result: CommandResult, runs_in: str) -> ToolResult:
    """Return the output and, unless all went well, how it ended. `runs_in`: shell, interpreter."""
    return _result(
        result.output,
        _notes(result, runs_in),
        dropped=result.dropped,
        dropped_at=result.dropped_at,
        error=TOOL_INFRA if result.outage else "timeout" if result.timed_out else None,
        exit_code=result.exit_code,
    )


def job_result(output: JobOutput) -> ToolResult:
    """Return what a job wrote since it was last read, and its state."""
    job = output.job
    notes = [job_state(job)]
    if not output.data and not output.missed:
        notes.insert(0, "(no new output)")
    result = _result(output.data, notes, dropped=output.missed, exit_code=job.exit_code)
    return result if job.running else replace(result, details={"ended_jobs": [job.job_id]})


def job_state(job: Job) -> str:
    """Say in one line whether a job runs or how it ended, and what it is."""
    if job.running:
        state = f"has been running for {job.seconds:.0f} s"
    elif job.stopped:
        state = "was stopped"
    elif job.signal is not None:
        state = f"was killed by signal {job.signal}{_name(job.signal)}"
    else:
        state = f"ended with exit code {job.exit_code}"
    text = f"[job {job.job_id} {state}: {job_command(job.command)}]"
    return "\n".join([text, *_limit_notes(job.limits_hit)])


def job_command(command: str) -> str:
    """Return a job's command in one line, shortened."""
    first, newline, _ = command.strip().partition("\n")
    shown = show_line(first.encode("utf-8", "surrogateescape"), _COMMAND)
    return f"{shown} ..." if newline else shown


def _result(
    output: bytes,
    notes: list[str],
    *,
    dropped: int,
    dropped_at: int = 0,
    error: str | None = None,
    exit_code: int | None = None,
) -> ToolResult:
    shaped = shape(output, dropped=dropped, dropped_at=dropped_at)
    if not shaped.text and not notes:
        notes = ["(no output)"]
    as_it_was = shaped.text.encode() == output.removesuffix(b"\n")
    return ToolResult(
        text="\n".join([shaped.text, *notes] if shaped.text else notes),
        error=error,
        exit_code=exit_code,
        cut=shaped.cut,
        full=None if as_it_was and not dropped else output,
    )


def _notes(result: CommandResult, runs_in: str) -> list[str]:
    ending = _ending(result, runs_in)
    notes = [ending] if ending else []
    notes += _limit_notes(result.limits_hit)
    if result.lost_state:
        notes.append(f"[{result.lost_state}]")
    if result.output_held:
        notes.append(
            "[a background process still holds this command's output open: what it writes from "
            "now on is lost; start such a process with `background`, or its output sent to a file]"
        )
    notes += [f"[{words}]" for words in result.refused if words.encode() not in result.output]
    if result.exit_code != 0 and _WANTS_INPUT.search(result.output[-_END_SEARCHED:]):
        notes.append(_NO_INPUT)
    return notes


def _ending(result: CommandResult, runs_in: str) -> str:
    if result.timed_out:
        kept = "" if result.lost_state else f"; the {runs_in} and its state are kept"
        return f"[timed out after {result.seconds:.0f} s{kept}]"
    if result.exit_code is None and result.signal is not None:
        return f"[killed by signal {result.signal}{_name(result.signal)}]"
    code = result.exit_code
    if code is not None and 128 < code < 128 + signal.NSIG:
        return f"[exit code {code}{_name(code - 128)}]"
    return f"[exit code {code}]" if code else ""


def _limit_notes(limits_hit: tuple[LimitName, ...]) -> list[str]:
    return [f"[{words}]" for limit, words in _LIMITS.items() if limit in limits_hit]


def _name(number: int) -> str:
    """Name a signal. Why it was sent is said only where something counted it: see `_LIMITS`."""
    try:
        return f" ({signal.Signals(number).name})"
    except ValueError:
        return ""
