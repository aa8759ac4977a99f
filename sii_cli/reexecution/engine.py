"""Runs the calls of a recording again, with the same tools, and compares what they return."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from pathlib import Path

from recordings.conversation.outages import TOOL_INFRA
from recordings.events import CallRequest, Event, Observation, ToolCall
from recordings.recorder import Recorder
from recordings.redaction.redactor import Redactor
from recordings.redaction.secrets import MASK
from recordings.storage.blobs import read_blob
from sandbox.own_folder import OwnFolder
from sandbox.protocol import SandboxBackend, SandboxSpec, SandboxUnavailable
from sandbox.snapshots import SnapshotStore
from sii_cli.agent.event_channel import EventChannel
from sii_cli.agent.history import History
from sii_cli.agent.permissions import permit_all
from sii_cli.agent.round_control import RoundOver
from sii_cli.agent.tool_calls import ToolCaller
from sii_cli.model.control_tokens import NEUTRALISED, Neutralisation
from sii_cli.reexecution.compare import ComparedObservation, compare
from sii_cli.reexecution.recorded import (
    CallNotRun,
    Group,
    Recorded,
    RecordedCall,
    SandboxGone,
    Workspace,
)
from sii_cli.reexecution.report import CallReport, call_report, call_text, not_begun_report
from sii_cli.reexecution.rules import Rule
from sii_cli.reexecution.workspace_files import FilesReport, RecordedFiles
from sii_cli.session.sandbox_lease import SandboxLease
from tools.toolbox import Toolbox
from tools.web.settings import WebSettings

Before = Callable[[list[str]], Awaitable[None]]

LONGEST_PAUSE = 30.0
"""Seconds waited between calls while something runs in the background."""
_BACKGROUND = re.compile(r"(?<![&>|\\])&(?![&>\d])")

NOT_RUN = {
    "rejected": "it was not allowed",
    "lost": "the session died while it ran: what it did then is not known",
    "sandbox_lost": "the sandbox died during it: what it did then is not known",
    "sandbox_unavailable": "there was no sandbox for it",
}
"""By the recorded error: calls that are not run again."""
MASKED = "a secret was taken out of its arguments: it would be another call now"
OUTAGE = "it failed for a reason of the installation: what it did then is not known"
ANSWERED = "from the recording: nothing is sent out"
SAVED = f"{ANSWERED}, and what it saved is the recording's"
_NOT_KNOWN = (NOT_RUN["lost"], NOT_RUN["sandbox_lost"], MASKED, OUTAGE, SAVED)


class Reexecution:
    """Runs what a recording ran, in sandboxes of its own. For one recording, once."""

    def __init__(
        self,
        *,
        folder: Path,
        backend: SandboxBackend,
        spec: SandboxSpec,
        tools: Sequence[str],
        rules: Sequence[Rule],
        redactor: Redactor | None = None,
        snapshots: SnapshotStore | None = None,
        neutralisation: Neutralisation = NEUTRALISED,
    ) -> None:
        """`folder` is the recording's, for its blobs; `snapshots` has those it names;
        `neutralisation` is what was done to the text that the model read."""
        self._folder = folder
        self._tools = tools
        self._rules = rules
        self._redactor = redactor
        self._neutralisation = neutralisation
        self._lease = SandboxLease(backend, spec)
        self._toolbox = self._new_toolbox()
        self._background = False
        self._workspace = spec.workspace
        self._snapshots = snapshots
        self._files: RecordedFiles | None = None

    async def run(
        self, recorded: Iterable[Recorded], before: Before | None = None
    ) -> AsyncGenerator[CallReport | FilesReport, None]:
        """Run everything again; yield a report of each call, in the order in which they began.

        After each step comes a report of the workspace, where the recording knows how it was.

        `before` is awaited before calls are run, with what they are.
        Raises `SandboxUnavailable`, `RecordingError`.
        """
        with OwnFolder("again") as place:
            self._place = place
            self._recorder = Recorder.create(self._place, "again", redactor=self._redactor)
            self._channel = EventChannel(self._recorder)
            if self._snapshots is not None:
                own = place / "own"
                own.mkdir()
                self._files = RecordedFiles(self._workspace, self._snapshots, own, self._rules)
            try:
                for item in recorded:
                    if before is not None and isinstance(item, Group):
                        await before([call_text(each.call) for each in item.calls])
                    async for report in self._again(item):
                        yield report
                for files in await self._files.step_ends() if self._files else ():
                    yield files
            finally:
                await self._lease.close()
                self._recorder.close()
                if self._files is not None:
                    self._files.close()

    async def _again(self, item: Recorded) -> AsyncGenerator[CallReport | FilesReport, None]:
        match item:
            case Workspace(snapshot=snapshot):
                for files in await self._files.feed(snapshot) if self._files else ():
                    yield files
            case SandboxGone():
                await self._lease.close()
                self._background = False
                if item.resumed:
                    self._toolbox = self._new_toolbox()
            case CallNotRun(seq=seq, observation=observation):
                yield not_begun_report(seq, observation)
            case Group():
                step = item.calls[0].call.step
                for files in await self._files.step_begins(step) if self._files else ():
                    yield files
                if self._background:
                    await asyncio.sleep(min(item.pause, LONGEST_PAUSE))
                for call in await self._run_group(item):
                    if self._files and (call.outcome == "not_compared" or call.why in _NOT_KNOWN):
                        self._files.not_repeatable()
                    yield call

    async def _run_group(self, group: Group) -> list[CallReport]:
        reports: dict[int, CallReport] = {}
        to_run: list[RecordedCall] = []
        for recorded in group.calls:
            report = self._report_without_run(recorded)
            if report is None:
                to_run.append(recorded)
            else:
                reports[recorded.seq] = report
        if to_run:
            now = await self._observe(to_run)
            for recorded in to_run:
                self._background = self._background or _keeps_running(recorded.call)
                observation = now[recorded.call.call_id]
                reports[recorded.seq] = await self._compare(recorded, observation)
        return [reports[recorded.seq] for recorded in group.calls]

    def _report_without_run(self, recorded: RecordedCall) -> CallReport | None:
        """Return the report of a call that is not run again; `None` means it is run."""
        then = recorded.observation
        if then is None:
            return call_report(recorded, "not_run", why="the recording ends while it ran")
        if not recorded.call.approval.allowed:
            return call_report(recorded, "not_run", why=NOT_RUN["rejected"])
        if then.error in NOT_RUN:
            return call_report(recorded, "not_run", why=NOT_RUN[then.error])
        if MASK in recorded.call.arguments:
            return call_report(recorded, "not_run", why=MASKED)
        if self._toolbox.outside(recorded.call.name):
            return call_report(recorded, "answered", why=SAVED if then.changed else ANSWERED)
        if then.error == TOOL_INFRA:
            return call_report(recorded, "not_run", why=OUTAGE)
        return None

    async def _observe(self, calls: Sequence[RecordedCall]) -> dict[str, Observation]:
        """Run calls at the same time; return what they return, by the calls' ids.

        Those that were interrupted are interrupted after as long.
        """
        caller = ToolCaller(
            toolbox=self._toolbox,
            channel=self._channel,
            permit=permit_all,
            on_sandbox_lost=self._lease.lost,
            neutralisation=self._neutralisation,
        )
        patience = _interrupted_after(calls)
        if patience is not None:
            await self._lease.get()  # its start is not part of that time
        running = asyncio.create_task(
            caller.run(calls[0].call.step, [_request(recorded) for recorded in calls], History())
        )
        try:
            done, _ = await asyncio.wait([running], timeout=patience)
            if done:
                running.result()
        except RoundOver as over:
            raise SandboxUnavailable(over.reason) from None
        finally:
            running.cancel()
            await asyncio.wait([running])
        return await self._take_observations()

    async def _take_observations(self) -> dict[str, Observation]:
        self._channel.end()
        found: dict[str, Observation] = {}
        while (item := await self._channel.next()) is not None:
            if isinstance(item, Event) and isinstance(item.data, Observation):
                found[item.data.call_id] = item.data
        return found

    async def _compare(self, recorded: RecordedCall, now: Observation) -> CallReport:
        then = recorded.observation
        assert then is not None
        if then.error == "interrupted":
            why = f"it was interrupted after {then.seconds:.1f} s, and now after as much"
            return call_report(recorded, "not_compared", why=why, seconds=now.seconds)
        found = await asyncio.to_thread(
            compare,
            call_text(recorded.call),
            *self._with_full_outputs(then, now),
            self._rules,
        )
        return call_report(
            recorded,
            found.verdict,
            rules=found.rules,
            differs=found.differs,
            diff=found.diff,
            seconds=now.seconds,
        )

    def _with_full_outputs(
        self, then: Observation, now: Observation
    ) -> tuple[ComparedObservation, ComparedObservation]:
        """What is compared; whole outputs only when they are not the same bytes."""
        if then.full and now.full and then.full.sha256 == now.full.sha256:
            return _observed(then, None), _observed(now, None)
        full_then = read_blob(self._folder, then.full) if then.full else None
        full_now = read_blob(self._place, now.full) if now.full else None
        return _observed(then, full_then), _observed(now, full_now)

    def _new_toolbox(self) -> Toolbox:
        return Toolbox(self._tools, self._lease.get, WebSettings())


def _request(recorded: RecordedCall) -> CallRequest:
    call = recorded.call
    return CallRequest(
        index=call.index, call_id=call.call_id, name=call.name, arguments=call.arguments
    )


def _interrupted_after(calls: Sequence[RecordedCall]) -> float | None:
    seconds = [
        recorded.observation.seconds
        for recorded in calls
        if recorded.observation and recorded.observation.error == "interrupted"
    ]
    return max(seconds, default=None)


def _keeps_running(call: ToolCall) -> bool:
    """Whether something may go on after the call: a job, or a command with `&`."""
    parsed = call.parsed or {}
    if call.name != "bash":
        return False
    return bool(parsed.get("background") or _BACKGROUND.search(str(parsed.get("command", ""))))


def _observed(observation: Observation, full: bytes | None) -> ComparedObservation:
    return ComparedObservation(
        text=observation.text,
        error=observation.error,
        exit_code=observation.exit_code,
        full=full.decode("utf-8", "replace") if full is not None else None,
        changed=tuple(observation.changed),
    )
