"""Reads from a recording what was run, call by call, and the environment in which it ran."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from recordings.errors import RecordingDamaged
from recordings.events import (
    Event,
    HumanCommand,
    Observation,
    Permission,
    SandboxEnd,
    SandboxStart,
    SessionResume,
    SessionStart,
    Snapshot,
    SnapshotFailed,
    ToolCall,
)
from recordings.storage.encoding import encode
from recordings.storage.log import read_events


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call, and what it returned; `observation` is None when the recording ends before it."""

    seq: int
    """Of the event that says that the call was about to run."""
    call: ToolCall
    observation: Observation | None


@dataclass(frozen=True, slots=True)
class Group:
    """Calls that ran at the same time, in the order in which they began."""

    calls: tuple[RecordedCall, ...]
    pause: float
    """Seconds from the end of what ran before."""


@dataclass(frozen=True, slots=True)
class CallNotRun:
    """A call that was never run: its round was stopped before it."""

    seq: int
    observation: Observation


@dataclass(frozen=True, slots=True)
class SandboxGone:
    """The sandbox ended, or with the session; what follows ran in another."""

    resumed: bool
    """The session was resumed by a new process: its tools lost their state."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """The workspace as it was then; `None` means it is unknown from here on."""

    snapshot: Snapshot | None


Recorded = Workspace | Group | CallNotRun | SandboxGone


@dataclass(frozen=True, slots=True)
class RecordedEnvironment:
    """The session's start and the sandbox that the calls of a recording ran in."""

    start: SessionStart
    sandbox: SandboxStart | None
    """The first sandbox; `None` means none was ever ready."""


def recorded_environment(folder: Path) -> RecordedEnvironment:
    """Read what a recording says of its beginning. Raises `RecordingError`."""
    start: SessionStart | None = None
    for event in read_events(folder):
        match event.data:
            case SessionStart() as data:
                start = data
            case SandboxStart() as sandbox if start is not None:
                return RecordedEnvironment(start, sandbox)
    if start is None:
        raise RecordingDamaged(f"The recording {folder.name} has no beginning.")
    return RecordedEnvironment(start, None)


def recorded_calls(events: Iterable[Event], until: int | None = None) -> Iterator[Recorded]:
    """Yield what was run, in order; calls that began after event `until` are left out.

    Holds no more than the calls that run at the same time.
    """
    reader = _Reader()
    rest = iter(events)
    for event in rest:
        is_after = until is not None and event.seq > until
        if is_after and (not reader.running or isinstance(event.data, ToolCall)):
            yield from reader.end()
            yield from _last_workspace(chain([event], rest), reader.step)
            return
        yield from reader.feed(event)
    yield from reader.end()


def _last_workspace(rest: Iterator[Event], step: int) -> Iterator[Workspace]:
    """Yield how the last step left the workspace, or that nobody knows: it is not run whole."""
    for event in rest:
        match event.data:
            case Snapshot(cause="step", step=number) as snapshot if number == step:
                yield Workspace(snapshot)
                return
            case ToolCall(step=number):
                if number == step:
                    yield Workspace(None)
                return


@dataclass(slots=True)
class _Reader:
    begun: dict[str, tuple[int, ToolCall]] = field(default_factory=dict)
    observed: dict[str, Observation] = field(default_factory=dict)
    gone: SandboxGone | None = None
    pause: float = 0.0
    step: int = 0
    """Of the last call."""
    last: float | None = None
    """When what ran before was over, by the clock of this run of the session."""

    @property
    def running(self) -> bool:
        return len(self.observed) < len(self.begun)

    def feed(self, event: Event) -> Iterator[Recorded]:
        match event.data:
            case ToolCall() as call:
                yield from self._begin(event, call)
            case Observation() as observation if observation.call_id not in self.begun:
                if not self.running:
                    yield from self.end()
                yield CallNotRun(event.seq, observation)
            case Observation() as observation:
                self.observed[observation.call_id] = observation
                self.last = event.mono
            case HumanCommand() as ran:
                yield from self.end()
                call, observation = _as_call(ran, event.seq)
                self.begun[call.call_id] = (event.seq, call)
                self.observed[call.call_id] = observation
                yield from self.end()
                self.last = event.mono
            case Snapshot() | SnapshotFailed():
                if not self.running:
                    yield from self.end()
                yield Workspace(event.data if isinstance(event.data, Snapshot) else None)
            case SandboxEnd():
                self.gone = self.gone or SandboxGone(resumed=False)
                if not self.running:
                    yield from self.end()
            case SessionResume():
                # What was under way then is recorded by the resumed session, so it ends
                # later; a fork leaves it to its parent.
                self.gone = SandboxGone(resumed=True)
                self.last = None
                if not self.running or event.parent is not None:
                    yield from self.end()

    def end(self) -> Iterator[Recorded]:
        """Yield what ran together, and the sandbox's end that came meanwhile."""
        if self.begun:
            calls = (
                RecordedCall(seq, call, self.observed.get(call_id))
                for call_id, (seq, call) in self.begun.items()
            )
            yield Group(tuple(calls), self.pause)
            self.begun, self.observed = {}, {}
        if self.gone is not None:
            yield self.gone
            self.gone = None

    def _begin(self, event: Event, call: ToolCall) -> Iterator[Recorded]:
        if self.begun and not self.running:
            yield from self.end()
        if not self.begun:
            self.pause = 0.0 if self.last is None else max(0.0, event.mono - self.last)
        self.begun[call.call_id] = (event.seq, call)
        self.step = call.step


def _as_call(ran: HumanCommand, seq: int) -> tuple[ToolCall, Observation]:
    """Return a command of the human as a call of `bash`, which runs it as well."""
    call_id = f"human-{seq}"
    parsed = {"command": ran.command}
    call = ToolCall(
        step=ran.step,
        call_id=call_id,
        index=0,
        name="bash",
        arguments=encode(parsed).decode(),
        parsed=parsed,
        approval=Permission(by="human", mode="human_command"),
    )
    observation = Observation(
        step=ran.step,
        call_id=call_id,
        name="bash",
        text=ran.text,
        error=ran.error,
        exit_code=ran.exit_code,
        seconds=ran.seconds,
        truncated=ran.truncated,
    )
    return call, observation
